#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod aws;
mod mistakes;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use lintel_http::{Body, http1::Timer};
use lintel_httpsig::{Message, signatures};
use lintel_kernel::{Exchange, Flow};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Chain, Depth, Wait,
    testing::{chain, of, pools},
};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
const SHA256: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
const CONTENT: &[u8] = b"{\"hello\": \"world\"}\n";
const COVERED: &str = r#""@method" "@authority" "@path" "@query""#;

fn consumers() -> Value {
    json!({
        "acme": {"signing_keys": [
            {"id": "acme-1", "algorithm": "hmac-sha256", "secret": SECRET, "scopes": ["orders"]},
            {"id": "acme-old", "algorithm": "hmac-sha256", "secret": SECRET, "expires": "2020-01-01"},
            {"id": "AKIDEXAMPLE", "algorithm": "aws4-hmac-sha256", "secret": SECRET},
        ]},
    })
}

fn policy(more: Value) -> Chain {
    chain(json!({"hmac": more}), consumers())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Exchange {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "api.example.com");
    let request = fields.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    of(request)
}

/// Signs over components with parameters.
fn sign(exchange: &mut Exchange, components: &str, parameters: &str) {
    let input = format!("sig=({components}){parameters}");
    let headers = &mut exchange.request.headers;
    headers.insert("signature-input", input.parse().unwrap());
    headers.insert("signature", "sig=:AAAA:".parse().unwrap());
    let message = Message {
        method: &exchange.request.method,
        secure: exchange.secure,
        authority: "api.example.com",
        target: &exchange.target,
        headers: &exchange.request.headers,
    };
    let base = signatures(&message).unwrap()[0].base(&message).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = STANDARD.encode(hmac::sign(&key, base.as_bytes()));
    let headers = &mut exchange.request.headers;
    headers.insert("signature", format!("sig=:{tag}:").parse().unwrap());
}

fn signed(components: &str, parameters: &str) -> Exchange {
    let mut exchange = request("GET", "/orders?a=1", &[("x-date", "today")]);
    sign(&mut exchange, components, parameters);
    exchange
}

fn fresh(key: &str) -> String {
    format!(";created={};keyid=\"{key}\"", now())
}

/// What comes of a request: the consumer, or the cause of its refusal; and what is left of its content.
async fn send(
    chain: &Chain,
    exchange: &mut Exchange,
    content: &'static [u8],
) -> (Result<String, String>, Bytes) {
    let (mut depth, mut body) = (Depth::default(), Body::from(Bytes::from_static(content)));
    let mut flow = chain.on_request(&mut depth, exchange, &mut body);
    if matches!(flow, Flow::Wait) {
        let (timer, pools) = (Timer::new(), pools());
        let wait = Wait {
            timer: &timer,
            deadline: Instant::now() + Duration::from_secs(30),
            pools: &pools,
        };
        flow = chain.resume(&mut depth, exchange, &mut body, &wait).await;
    }
    if let Flow::Refuse(no) = flow {
        let cause = exchange.cause.take().unwrap_or_else(|| no.code.into());
        if no.status == 401 {
            assert!(no.code == "no_credentials" || no.detail == "The signature is not valid.");
        }
        return (Err(cause.into()), Bytes::new());
    }
    let who = exchange.consumer().unwrap().name.to_string();
    assert_eq!(body.size_hint().exact(), Some(content.len() as u64));
    (Ok(who), body.collect().await.unwrap().to_bytes())
}

async fn verdict(chain: &Chain, mut exchange: Exchange) -> Result<String, String> {
    send(chain, &mut exchange, b"").await.0
}

#[tokio::test]
async fn who_signs_is_known() {
    let chain = policy(json!({}));
    let mut exchange = signed(COVERED, &fresh("acme-1"));
    assert_eq!(
        send(&chain, &mut exchange, b"").await.0.as_deref(),
        Ok("acme")
    );
    let who = exchange.identity.as_ref().unwrap();
    assert_eq!(
        (who.method, who.credential.as_deref()),
        ("hmac", Some("acme-1"))
    );
    assert!(who.has_scope("orders"));
    assert!(!exchange.request.headers.contains_key("signature"));
    assert!(!exchange.request.headers.contains_key("signature-input"));
    let unsigned = verdict(&chain, request("GET", "/orders?a=1", &[])).await;
    assert_eq!(unsigned, Err("no_credentials".to_owned()));
}

#[tokio::test]
async fn what_is_wrong_is_told_to_the_log_alone() {
    let chain = policy(json!({"tag": "api"}));
    let good = |more: &str| signed(COVERED, &format!(";tag=\"api\"{}{more}", fresh("acme-1")));
    let at = |created: u64| format!(";tag=\"api\";created={created};keyid=\"acme-1\"");
    assert!(verdict(&chain, good("")).await.is_ok());
    let mut wrong = good("");
    wrong
        .request
        .headers
        .insert("signature", "sig=:AAAA:".parse().unwrap());
    let mut moved = good("");
    moved.target = "/orders?a=2".parse().unwrap();
    for (exchange, cause) in [
        (wrong, "signature_wrong: acme-1"),
        (moved, "signature_wrong: acme-1"),
        (
            signed(COVERED, &format!(";tag=\"api\"{}", fresh("nobody"))),
            "key_unknown",
        ),
        (
            signed(COVERED, &format!(";tag=\"api\"{}", fresh("AKIDEXAMPLE"))),
            "key_unknown",
        ),
        (
            signed(COVERED, &format!(";tag=\"api\";created={}", now())),
            "key_unknown",
        ),
        (
            signed(COVERED, &format!(";tag=\"api\"{}", fresh("acme-old"))),
            "key_expired: acme-old",
        ),
        (signed(COVERED, &fresh("acme-1")), "signature_tag"),
        (good(";alg=\"ed25519\""), "signature_wrong: acme-1"),
        (
            signed(COVERED, ";tag=\"api\";keyid=\"acme-1\""),
            "signature_undated: acme-1",
        ),
        (
            signed(COVERED, &at(now() + 40)),
            "signature_not_yet_valid: acme-1",
        ),
        (
            signed(COVERED, &at(now() - 331)),
            "signature_expired: acme-1",
        ),
        (
            good(&format!(";expires={}", now() - 31)),
            "signature_expired: acme-1",
        ),
        (
            signed(r#""@method" "@path""#, &at(now())),
            "not_covered @authority: acme-1",
        ),
    ] {
        assert_eq!(verdict(&chain, exchange).await, Err(cause.to_owned()));
    }
    for fine in [at(now() + 20), at(now() - 320)] {
        assert!(verdict(&chain, signed(COVERED, &fine)).await.is_ok());
    }
    let mut twice = good("");
    for (name, value) in [
        ("signature-input", "b=();tag=\"api\";keyid=\"acme-1\""),
        ("signature", "b=:AAAA:"),
    ] {
        twice.request.headers.append(name, value.parse().unwrap());
    }
    assert_eq!(
        verdict(&chain, twice).await,
        Err("credential_unclear".to_owned())
    );
    let mut by_others = good("");
    for (name, value) in [
        ("signature-input", "b=();keyid=\"proxy\""),
        ("signature", "b=:AAAA:"),
    ] {
        by_others
            .request
            .headers
            .append(name, value.parse().unwrap());
    }
    assert!(verdict(&chain, by_others).await.is_ok());
    let malformed = request("GET", "/", &[("signature", "x")]);
    assert!(
        verdict(&chain, malformed)
            .await
            .unwrap_err()
            .starts_with("credential_malformed")
    );
}

#[tokio::test]
async fn demanded_components_are_covered_by_what_holds_them() {
    let chain = policy(json!({"components": ["@authority", "@query", "x-date"]}));
    let covered = [
        r#""@target-uri" "x-date""#,
        r#""x-date";bs "@authority" "@query""#,
    ];
    for components in covered {
        assert!(
            verdict(&chain, signed(components, &fresh("acme-1")))
                .await
                .is_ok(),
            "{components}"
        );
    }
    let open = signed(r#""@target-uri""#, &fresh("acme-1"));
    assert_eq!(
        verdict(&chain, open).await,
        Err("not_covered x-date: acme-1".to_owned())
    );
}

#[tokio::test]
async fn content_is_compared_with_its_digest() {
    let post = |digest: Option<&str>| {
        let fields: Vec<_> = digest
            .map(|digest| ("content-digest", digest))
            .into_iter()
            .collect();
        let mut exchange = request("POST", "/orders?a=1", &fields);
        let components = match digest {
            Some(_) => format!("{COVERED} \"content-digest\""),
            None => COVERED.to_owned(),
        };
        sign(&mut exchange, &components, &fresh("acme-1"));
        exchange
    };
    let chain = policy(json!({"max_content": "19B"}));
    let (who, passed) = send(&chain, &mut post(Some(SHA256)), CONTENT).await;
    assert_eq!((who.as_deref(), &*passed), (Ok("acme"), CONTENT));
    for (digest, content, cause) in [
        (
            Some(SHA256),
            &b"{\"hello\": \"World\"}\n"[..],
            "content_wrong",
        ),
        (Some(SHA256), b"", "content_wrong"),
        (
            Some(SHA256),
            b"{\"hello\": \"world\"}\n\n",
            "signed_content_too_large",
        ),
        (None, CONTENT, "not_covered content-digest: acme-1"),
    ] {
        let (refused, _) = send(&chain, &mut post(digest), content).await;
        assert_eq!(refused, Err(cause.to_owned()));
    }
    let lax = policy(json!({"unsigned_content": true, "max_content": "1B"}));
    let (who, passed) = send(&lax, &mut post(None), CONTENT).await;
    assert_eq!((who.as_deref(), &*passed), (Ok("acme"), CONTENT));
    assert!(
        send(&lax, &mut post(Some(SHA256)), CONTENT)
            .await
            .0
            .is_err()
    );
}

#[tokio::test]
async fn a_nonce_is_accepted_once() {
    let chain = policy(json!({"nonce": true}));
    let with = |nonce: &str| signed(COVERED, &format!("{};nonce=\"{nonce}\"", fresh("acme-1")));
    let mut forged = with("one");
    forged
        .request
        .headers
        .insert("signature", "sig=:AAAA:".parse().unwrap());
    assert!(verdict(&chain, forged).await.is_err());
    assert!(
        verdict(&chain, with("one")).await.is_ok(),
        "forgeries use nothing up"
    );
    assert_eq!(
        verdict(&chain, with("one")).await,
        Err("nonce_used: acme-1".to_owned())
    );
    assert!(verdict(&chain, with("two")).await.is_ok());
    let without = signed(COVERED, &fresh("acme-1"));
    assert_eq!(
        verdict(&chain, without).await,
        Err("nonce_missing: acme-1".to_owned())
    );
}

/// Content that never comes.
struct Silent;

impl http_body::Body for Silent {
    type Data = Bytes;
    type Error = lintel_http::BodyError;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, lintel_http::BodyError>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_does_not_come_is_not_waited_for() {
    let chain = policy(json!({}));
    let mut exchange = request("POST", "/orders?a=1", &[("content-digest", SHA256)]);
    let components = format!("{COVERED} \"content-digest\"");
    sign(&mut exchange, &components, &fresh("acme-1"));
    let (mut depth, mut body) = (Depth::default(), Body::boxed(Silent));
    let flow = chain.on_request(&mut depth, &mut exchange, &mut body);
    assert!(matches!(flow, Flow::Wait));
    let (timer, pools) = (Timer::new(), pools());
    let wait = Wait {
        timer: &timer,
        deadline: Instant::now() + Duration::from_secs(30),
        pools: &pools,
    };
    let flow = chain
        .resume(&mut depth, &mut exchange, &mut body, &wait)
        .await;
    assert!(matches!(flow, Flow::Refuse(no) if no.status == 408));
    assert!(exchange.identity.is_none());
}
