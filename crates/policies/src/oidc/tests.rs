#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashSet;

use http::HeaderMap;
use lintel_kernel::Secret;
use serde_json::{Value, json};

use super::{cookies::Cookies, login::local, seal::Seal, *};
use crate::testing::{exchange, pass};

fn settings() -> Value {
    json!({
        "provider": "http://127.0.0.1:9",
        "client_id": "shop",
        "redirect_uri": "https://shop.example.com/oauth2/callback",
        "cookie_keys": ["a-secret-of-at-least-thirty-two-bytes"],
        "endpoints": { "authorization": "http://127.0.0.1:9/authorize?tenant=1" },
        "fetch": { "wait": "1ms" },
    })
}

fn with(change: Value) -> Value {
    let mut all = settings();
    for (key, value) in change.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn build(value: Value) -> Result<Oidc, Vec<(String, String)>> {
    let config: Config = serde_json::from_value(value).unwrap();
    config.build(&Context::default()).map_err(|faults| {
        let told = faults.into_iter();
        told.map(|fault| (fault.path.join("."), fault.message))
            .collect()
    })
}

fn seal(secrets: &[&str]) -> Seal {
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
    Seal::new(&secrets).unwrap()
}

fn headers(cookie: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
    headers
}

/// What a browser keeps of `Set-Cookie` fields.
fn kept(fields: &[HeaderValue]) -> String {
    let texts = fields.iter().map(|field| field.to_str().unwrap());
    let pairs: Vec<&str> = texts
        .filter(|text| !text.contains("Max-Age=0"))
        .map(|text| text.split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (change, path, message) in [
        (json!({"provider": "login"}), "provider", "not a URL"),
        (json!({"client_id": ""}), "client_id", "has an id"),
        (
            json!({"client_authentication": "basic"}),
            "client_authentication",
            "no secret",
        ),
        (
            json!({"client_authentication": "none", "client_secret": "s"}),
            "client_authentication",
            "public client",
        ),
        (
            json!({"redirect_uri": "http://shop.example.com/cb"}),
            "redirect_uri",
            "plain http",
        ),
        (
            json!({"redirect_uri": "https://shop.example.com/cb?x=1"}),
            "redirect_uri",
            "query",
        ),
        (
            json!({"redirect_uri": "https://shop.example.com/login"}),
            "redirect_uri",
            "of their own",
        ),
        (json!({"cookie_keys": []}), "cookie_keys", "no secret"),
        (
            json!({"cookie_keys": ["short"]}),
            "cookie_keys.0",
            "fewer than 32",
        ),
        (
            json!({"scopes": ["openid profile"]}),
            "scopes.0",
            "not a scope",
        ),
        (
            json!({"parameters": {"state": "x"}}),
            "parameters.state",
            "set by the gateway",
        ),
        (
            json!({"algorithms": ["HS256"]}),
            "algorithms.0",
            "can't be a secret",
        ),
        (
            json!({"endpoints": {"jwks": "https://a.example/keys"}}),
            "endpoints.jwks",
            "nothing is discovered",
        ),
        (
            json!({"endpoints": {"token": "http://a.example/"}}),
            "endpoints.token",
            "plain http",
        ),
        (
            json!({"session": {"cookie": "a b"}}),
            "session.cookie",
            "not a name",
        ),
        (
            json!({"session": {"insecure": true}}),
            "session.cookie",
            "over TLS alone",
        ),
        (
            json!({"session": {"lifetime": "0s"}}),
            "session.lifetime",
            "shorter",
        ),
        (
            json!({"login": {"path": "login"}}),
            "login.path",
            "not a path",
        ),
        (
            json!({"logout": {"to": "https://evil.example/"}}),
            "logout.to",
            "no path of the site",
        ),
        (
            json!({"logout": {"to": "//evil.example/"}}),
            "logout.to",
            "no path of the site",
        ),
        (
            json!({"forward": {"X User": "claims.sub"}}),
            "forward.X User",
            "not a header name",
        ),
        (json!({"realm": "a\"b"}), "realm", "quotes"),
    ] {
        let found = build(with(change.clone())).err().expect("a mistake");
        assert!(
            found
                .iter()
                .any(|(at, text)| at == path && text.contains(message)),
            "{change}: {found:?}"
        );
    }
    assert!(build(settings()).is_ok());
}

#[test]
fn what_is_sealed_opens_in_its_place_alone() {
    let old = seal(&["the-first-secret-of-thirty-two-bytes"]);
    let text = old.close("session", b"who".to_vec()).unwrap();
    assert_eq!(old.open("session", &text).unwrap(), b"who");
    assert_eq!(old.open("login", &text), None, "another cookie");
    let new = seal(&[
        "another-secret-of-thirty-two-bytes-or-so",
        "the-first-secret-of-thirty-two-bytes",
    ]);
    assert_eq!(new.open("session", &text).unwrap(), b"who", "rotation");
    let newer = new.close("session", b"who".to_vec()).unwrap();
    assert_eq!(old.open("session", &newer), None, "of another key");
    for at in 0..text.len() {
        let mut forged = text.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(old.open("session", &forged), None, "byte {at}");
    }
    for garbage in ["", "A", "AAAA", "%%%", &"A".repeat(20_000)] {
        assert_eq!(old.open("session", garbage), None);
    }
    let many: HashSet<String> = (0..100)
        .map(|_| old.close("session", b"who".to_vec()).unwrap())
        .collect();
    assert_eq!(many.len(), 100, "no two are alike");
}

#[test]
fn large_sessions_are_split_and_put_together() {
    let cookies = Cookies::new("session".to_owned(), true);
    let mut before = HeaderMap::new();
    for (size, parts) in [(10, 1), (3800, 1), (3801, 2), (15_200, 4), (100, 1)] {
        let value: String = (0..size)
            .map(|at| char::from(b'a' + (at % 26) as u8))
            .collect();
        let fields = cookies.set_session(&value, &before).unwrap();
        let set = kept(&fields);
        assert_eq!(set.matches("session").count(), parts, "{size}");
        assert!(fields.iter().all(|field| field.len() < 4096));
        before = headers(&format!("a=1; {set}"));
        assert_eq!(cookies.find(&before).unwrap(), value);
        let gone = fields.len() - parts;
        assert_eq!(
            gone,
            if size == 100 { 3 } else { 0 },
            "what is left of it goes"
        );
    }
    assert!(cookies.set_session(&"a".repeat(15_201), &before).is_none());
    for odd in [
        "session=9.abc",
        "session=x.abc",
        "session=2.abc",
        "session=.",
    ] {
        let _ = cookies.find(&headers(odd));
    }
}

#[test]
fn its_own_cookies_are_told_from_others() {
    let cookies = Cookies::new("session".to_owned(), true);
    for own in ["session", "session-1", "session-login-0a1b2c3d"] {
        assert!(cookies.own(own), "{own}");
    }
    for other in ["sessions", "session-id", "my-session", "session_1", ""] {
        assert!(!cookies.own(other), "{other}");
    }
}

#[test]
fn a_login_leads_back_to_this_site_alone() {
    for (to, stays) in [
        ("/", true),
        ("/a?b=c", true),
        ("/a//b", true),
        ("//evil.example", false),
        ("/\\evil.example", false),
        ("/a\\b", false),
        ("https://evil.example", false),
        ("evil", false),
        ("/a\r\nSet-Cookie: x", false),
        ("", false),
    ] {
        assert_eq!(local(to).is_some(), stays, "{to}");
    }
    assert!(local(&format!("/{}", "a".repeat(2000))).is_none());
}

#[tokio::test]
async fn people_are_sent_to_the_provider_and_programs_are_not() {
    let chain = || crate::testing::chain(json!({ "oidc": settings() }), json!({}));
    let sent = |fields: &'static [(&'static str, &'static str)]| async move {
        let mut exchange = exchange("/page", fields);
        let (passed, _) = pass(&chain(), &mut exchange).await;
        // Whoever is redirected was answered, and not refused.
        passed.is_ok()
    };
    assert!(sent(&[("accept", "text/html,*/*;q=0.8")]).await);
    assert!(
        sent(&[
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document")
        ])
        .await
    );
    for program in [
        &[][..],
        &[("accept", "application/json")],
        &[("accept", "*/*")],
        &[
            ("accept", "text/html"),
            ("x-requested-with", "XMLHttpRequest"),
        ],
        &[("accept", "text/html"), ("sec-fetch-mode", "cors")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")],
    ] {
        assert!(!sent(program).await, "{program:?}");
    }
}

#[test]
fn each_login_is_another_and_its_parameters_are_right() {
    let oidc = build(with(json!({
        "scopes": ["profile", "openid"],
        "parameters": { "prompt": "login" },
    })))
    .unwrap();
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let mut exchange = exchange("/page?x=1", &[("accept", "text/html")]);
        let Flow::Answer(response) = oidc.on_request(&mut exchange, &mut Body::empty()) else {
            panic!("an answer")
        };
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        let (fixed, own) = location.split_once("&state=").unwrap();
        assert_eq!(
            fixed,
            "http://127.0.0.1:9/authorize?tenant=1&response_type=code&client_id=shop\
             &redirect_uri=https%3A%2F%2Fshop.example.com%2Foauth2%2Fcallback\
             &scope=openid%20profile&prompt=login"
        );
        assert!(own.ends_with("&code_challenge_method=S256"), "{own}");
        assert!(seen.insert(own.to_owned()));
    }
}

#[test]
fn abandoned_logins_do_not_pile_up() {
    let oidc = build(settings()).unwrap();
    let names = (0..6).map(|at| format!("__Host-lintel-login-{at}=x"));
    let cookie = names.collect::<Vec<_>>().join("; ");
    let mut exchange = exchange("/page", &[("accept", "text/html"), ("cookie", &cookie)]);
    let _ = oidc.on_request(&mut exchange, &mut Body::empty());
    let mut response = Response::new(Body::empty());
    oidc.on_response(&mut exchange, &mut response);
    let set: Vec<_> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .collect();
    let gone = |field: &&&HeaderValue| field.to_str().unwrap().contains("Max-Age=0");
    assert_eq!((set.len(), set.iter().filter(gone).count()), (7, 6));
}

#[tokio::test]
async fn without_metadata_nobody_can_log_in() {
    let mut settings = settings();
    settings.as_object_mut().unwrap().remove("endpoints");
    let chain = crate::testing::chain(json!({ "oidc": settings }), json!({}));
    let mut exchange = exchange("/page", &[("accept", "text/html")]);
    let (refused, waited) = pass(&chain, &mut exchange).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.status.as_u16(), refused.code),
        (503, "provider_unavailable")
    );
    assert!(waited && refused.retry_after.is_some());
}
