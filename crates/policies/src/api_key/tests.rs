#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use lintel_kernel::Exchange;
use serde_json::{Value, json};

use crate::{
    Chain,
    keys::{new_key, sha256_hex},
    testing::{chain, exchange, pass},
};

/// The argon2id hash of a text with the least of costs.
fn slow(text: &str) -> String {
    use argon2::{Argon2, Params, PasswordHasher};
    let params = Params::new(8, 1, 1, None).unwrap();
    let hash = Argon2::from(params).hash_password_with_salt(text.as_bytes(), b"some-salt");
    hash.unwrap().to_string()
}

async fn outcome(chain: &Chain, exchange: &mut Exchange) -> (u16, String, bool) {
    let (passed, waited) = pass(chain, exchange).await;
    let status = passed
        .as_ref()
        .map_or_else(|no| no.status.as_u16(), |()| 200);
    let cause = exchange.cause.as_deref().unwrap_or_default().to_owned();
    (status, cause, waited)
}

async fn with_key(chain: &Chain, key: &str) -> (u16, String, bool) {
    outcome(chain, &mut exchange("/", &[("x-api-key", key)])).await
}

#[tokio::test]
async fn a_key_is_its_consumers_until_it_expires() {
    let (one, two) = (new_key("lk").unwrap(), new_key("lk").unwrap());
    let chain = chain(
        json!({"api_key": {}}),
        json!({"acme": {"plan": "gold", "api_keys": [
            {"id": "acme-2", "sha256": one.sha256, "scopes": ["read"], "expires": "2999-12-31"},
            {"id": "acme-1", "sha256": two.sha256.to_uppercase(), "expires": "2020-01-01T00:00:00Z"},
        ]}}),
    );
    let mut request = exchange("/", &[("x-api-key", &one.text)]);
    assert_eq!(
        outcome(&chain, &mut request).await,
        (200, String::new(), false)
    );
    let identity = request.identity.as_ref().unwrap();
    assert_eq!(identity.method, "api_key");
    assert_eq!(identity.credential.as_deref(), Some("acme-2"));
    assert!(identity.has_scope("read"));
    assert_eq!(request.consumer().unwrap().plan.as_deref(), Some("gold"));
    assert!(request.request.headers.is_empty(), "the key is gone");

    let mut again = exchange("/", &[("x-api-key", &one.text)]);
    outcome(&chain, &mut again).await;
    let same = std::rc::Rc::ptr_eq(identity, again.identity.as_ref().unwrap());
    assert!(same, "identities are made once");

    assert_eq!(
        with_key(&chain, &two.text).await,
        (401, "key_expired: acme-1".to_owned(), false)
    );
}

#[tokio::test]
async fn whatever_is_wrong_looks_alike() {
    let (good, expired) = (new_key("lk").unwrap(), new_key("lk").unwrap());
    let chain = chain(
        json!({"api_key": {}}),
        json!({"acme": {"api_keys": [
            {"sha256": good.sha256},
            {"sha256": expired.sha256, "expires": "2020-01-01"},
        ]}}),
    );
    let mistyped = format!("{}x", &good.text[..good.text.len() - 1]);
    let mut seen = Vec::new();
    for key in [
        &expired.text,
        &new_key("lk").unwrap().text,
        &mistyped,
        "other",
    ] {
        let mut request = exchange("/", &[("x-api-key", key)]);
        let refused = pass(&chain, &mut request).await.0.unwrap_err();
        let told = (
            refused.status,
            refused.code,
            refused.detail.clone(),
            refused.headers.clone(),
        );
        seen.push((told, request.cause.unwrap()));
        assert!(request.identity.is_none());
    }
    assert!(seen.iter().all(|(told, _)| *told == seen[0].0));
    let causes: Vec<&str> = seen.iter().map(|(_, cause)| &**cause).collect();
    assert!(causes[0].starts_with("key_expired: "));
    assert_eq!(causes[1..], ["key_unknown", "key_mistyped", "key_unknown"]);
}

#[tokio::test]
async fn slow_hashes_are_computed_once_and_for_unknown_keys_too() {
    let chain = chain(
        json!({"api_key": {}}),
        json!({
            "acme": {"api_keys": [
                {"prefix": "pk_live_a", "argon2": slow("pk_live_a-first")},
                {"prefix": "pk_live_a", "argon2": slow("pk_live_a-second"), "expires": "2020-01-01"},
            ]},
            "umbrella": {"api_keys": [{"id": "u", "prefix": "pk_live_", "argon2": slow("pk_live_u")}]},
        }),
    );
    for (key, status, cause) in [
        ("pk_live_a-first", 200, ""),
        ("pk_live_u", 200, ""),
        ("pk_live_a-second", 401, "key_expired: pk_live_a"),
        ("pk_live_a-third", 401, "key_unknown"),
        ("quite-another", 401, "key_unknown"),
    ] {
        let expected = |waited| (status, cause.to_owned(), waited);
        assert_eq!(with_key(&chain, key).await, expected(true), "{key}");
        assert_eq!(
            with_key(&chain, key).await,
            expected(false),
            "{key}, remembered"
        );
    }
}

#[tokio::test]
async fn no_copy_of_a_key_goes_on() {
    let key = new_key("lk").unwrap();
    let setting = |keep| {
        json!({"api_key": {
            "from": [{"header": "X-Api-Key"}, {"header": "Authorization"}, {"cookie": "key"}, {"query": "key"}],
            "keep_key": keep,
        }})
    };
    let consumers = json!({"acme": {"api_keys": [{"sha256": key.sha256}]}});
    let target = format!("/a?key={0}&b=1", key.text);
    let fields = [
        ("authorization", format!("Bearer {}", key.text)),
        ("cookie", format!("a=1; key={}", key.text)),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mut request = exchange(&target, &fields);
    let stripping = chain(setting(false), consumers.clone());
    assert_eq!(outcome(&stripping, &mut request).await.0, 200);
    assert_eq!(request.request.uri, "/a?b=1");
    assert_eq!(request.request.headers.len(), 1);
    assert_eq!(request.request.headers["cookie"], "a=1");
    assert_eq!(request.target, "/a?key=***&b=1", "what the log shows");

    let keeping = chain(setting(true), consumers);
    let mut request = exchange(&target, &fields);
    assert_eq!(outcome(&keeping, &mut request).await.0, 200);
    assert_eq!(request.request.uri, target.as_str());
    assert_eq!(request.target, "/a?key=***&b=1");

    let mut wrong = exchange("/a?key=wrong", &[]);
    assert_eq!(outcome(&stripping, &mut wrong).await.0, 401);
    assert_eq!(
        wrong.target, "/a?key=***",
        "a wrong key may be nearly right"
    );
}

#[tokio::test]
async fn what_is_no_single_key_is_refused() {
    let key = new_key("lk").unwrap();
    let chain = chain(
        json!({"api_key": {}, "anonymous": {}}),
        json!({"acme": {"api_keys": [{"sha256": key.sha256}]}}),
    );
    let mut twice = exchange("/", &[("x-api-key", &key.text), ("x-api-key", &key.text)]);
    let expected = (401, "credential_unclear".to_owned(), false);
    assert_eq!(outcome(&chain, &mut twice).await, expected);
    let long = "x".repeat(2000);
    assert_eq!(
        with_key(&chain, &long).await,
        (401, "key_too_long".to_owned(), false)
    );
    let mut none = exchange("/", &[]);
    assert_eq!(outcome(&chain, &mut none).await.0, 200, "anonymous");
    assert_eq!(none.identity.unwrap().method, "anonymous");
}

#[test]
fn mistakes_say_what_to_write() {
    let faults = |key: Value| {
        let config: crate::ConsumerConfig =
            serde_json::from_value(json!({"api_keys": [key]})).unwrap();
        let built = crate::Directory::build([("acme", &config)]);
        let faults = built.unwrap_err();
        assert!(faults.iter().all(|fault| fault.hint.is_some()));
        (faults[0].path.join("."), faults[0].message.clone())
    };
    let hash = sha256_hex("x");
    let argon2 = slow("x");
    for (key, path, words) in [
        (json!({}), "", "one hash"),
        (json!({"sha256": hash, "argon2": argon2}), "", "one hash"),
        (json!({"sha256": "lk_6Fp16y3B4b04GxWv6"}), ".sha256", "64"),
        (
            json!({"sha256": format!("{}+1", &hash[..62])}),
            ".sha256",
            "64",
        ),
        (
            json!({"sha256": hash, "prefix": "pk_l"}),
            ".prefix",
            "without",
        ),
        (
            json!({"sha256": hash, "expires": "soon"}),
            ".expires",
            "no time",
        ),
        (
            json!({"sha256": hash, "expires": "1960-01-01"}),
            ".expires",
            "no time",
        ),
        (json!({"argon2": argon2}), ".prefix", "4 characters"),
        (
            json!({"argon2": argon2, "prefix": "pk_"}),
            ".prefix",
            "4 characters",
        ),
        (
            json!({"argon2": "$apr1$a$b", "prefix": "pk_l"}),
            ".argon2",
            "MD5",
        ),
    ] {
        let shown = key.to_string();
        let (at, message) = faults(key);
        assert_eq!(at, format!("acme.api_keys.0{path}"), "{shown}");
        assert!(message.contains(words), "{shown}: {message}");
    }
}

#[test]
fn a_key_has_one_owner() {
    let both: Vec<crate::ConsumerConfig> = ["x", "x"]
        .map(|key| json!({"api_keys": [{"sha256": sha256_hex(key)}]}))
        .into_iter()
        .map(|config| serde_json::from_value(config).unwrap())
        .collect();
    let built = crate::Directory::build([("acme", &both[0]), ("umbrella", &both[1])]);
    let faults = built.unwrap_err();
    assert_eq!(faults[0].path, ["umbrella", "api_keys", "0", "sha256"]);
    assert!(faults[0].message.contains("`acme`"));
}
