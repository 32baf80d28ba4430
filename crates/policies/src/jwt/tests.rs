#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::{Arc, LazyLock};

use lintel_jose::Refusal;
use lintel_state::revoked::Revoked;
use serde_json::{Value, json};

use super::{
    config::Config,
    verifier::{Unverified, Verifier},
};
use crate::Context;

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";
/// `sub` is `ada`; ends in 2100.
const TOKEN: &str = concat!(
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20vIiwiYXVkIjoiYXBpLmV4YW1wbGUuY29tIiwic3ViIjoiYWRhIiwi",
    "c2NvcGUiOiJvcmRlcnM6cmVhZCIsImV4cCI6NDEwMjQ0NDgwMH0.TrqmtKLrZO5cRI5LSMxzlxKgT3IBbd4pQGNeb1iwYIg"
);
const END: u64 = 4_102_444_800;

fn config(value: Value) -> Config {
    serde_json::from_value(value).unwrap()
}

fn faults(value: Value) -> Vec<(String, String)> {
    let built = config(value).build(&Context::default());
    let faults = built.err().expect("a mistake");
    faults
        .into_iter()
        .map(|fault| (fault.path.join("."), fault.message))
        .collect()
}

fn verifier(value: Value) -> std::sync::Arc<Verifier> {
    // A gateway has one list of what is revoked.
    static REVOKED: LazyLock<Arc<Revoked>> = LazyLock::new(Arc::default);
    let context = Context {
        revoked: Arc::clone(&REVOKED),
        ..Context::default()
    };
    config(value).build(&context).unwrap().verifier
}

#[test]
fn a_token_is_remembered_until_it_ends() {
    let verifier = verifier(json!({"secret": SECRET, "leeway": "0s"}));
    let first = verifier.verify(TOKEN, END - 10).unwrap();
    let again = verifier.verify(TOKEN, END - 1).unwrap();
    assert!(std::rc::Rc::ptr_eq(&first, &again), "it was remembered");
    assert!(first.has_scope("orders:read") && !first.has_scope("orders"));
    assert_eq!(
        verifier.verify(TOKEN, END),
        Err(Unverified::Refused(Refusal::Expired))
    );
}

#[test]
fn what_is_refused_is_not_remembered_as_good() {
    let verifier = verifier(json!({"secret": SECRET, "audience": ["other"]}));
    for _ in 0..2 {
        let refused = Err(Unverified::Refused(Refusal::Audience));
        assert_eq!(verifier.verify(TOKEN, 0), refused);
    }
}

#[test]
fn equal_settings_share_what_they_know() {
    let settings = || json!({"secret": SECRET, "issuer": "https://auth.example.com/"});
    let (one, two) = (verifier(settings()), verifier(settings()));
    assert!(std::sync::Arc::ptr_eq(&one, &two));
    let other = verifier(
        json!({"secret": "another-secret-of-more-than-32-bytes", "issuer": "https://auth.example.com/"}),
    );
    assert!(!std::sync::Arc::ptr_eq(&one, &other));
    let refused = other.verify(TOKEN, 0);
    assert!(matches!(
        refused,
        Err(Unverified::Refused(Refusal::Signature(_)))
    ));
}

#[test]
fn a_token_is_checked_by_the_keys_of_the_issuer_that_it_names() {
    let own = "https://auth.example.com/";
    let both = verifier(json!({"issuers": [
        {"issuer": "https://partner.example.org", "secret": "another-secret-of-more-than-32-bytes"},
        {"issuer": own, "secret": SECRET, "audience": ["api.example.com"]},
    ]}));
    assert_eq!(both.verify(TOKEN, 0).unwrap().claims["iss"], own);
    // The same keys under the names of others.
    let swapped = verifier(json!({"issuers": [
        {"issuer": "https://partner.example.org", "secret": SECRET},
        {"issuer": own, "secret": "another-secret-of-more-than-32-bytes"},
    ]}));
    let refused = swapped.verify(TOKEN, 0);
    assert!(matches!(
        refused,
        Err(Unverified::Refused(Refusal::Signature(_)))
    ));
    let strangers = verifier(json!({"issuers": [{"issuer": "x", "secret": SECRET}]}));
    let refused = Err(Unverified::Refused(Refusal::Issuer));
    assert_eq!(strangers.verify(TOKEN, 0), refused);
}

#[test]
fn an_audience_of_one_issuer_takes_the_place_of_that_of_all() {
    let with = |own: Value| {
        verifier(json!({"audience": ["other"], "issuers": [
            {"issuer": "https://auth.example.com/", "secret": SECRET, "audience": own},
        ]}))
    };
    assert!(with(json!(["api.example.com"])).verify(TOKEN, 0).is_ok());
    let refused = Err(Unverified::Refused(Refusal::Audience));
    assert_eq!(with(json!([])).verify(TOKEN, 0), refused);
}

#[test]
fn a_published_secret_is_no_issuer() {
    let found = faults(json!({"discovery": "https://a/", "algorithms": ["HS256"]}));
    assert_eq!(found[0].0, "algorithms.0");
}

#[test]
fn a_claim_names_the_consumer() {
    let consumers = json!({ "acme": { "plan": "gold", "jwt": { "subjects": ["ada"] } } });
    let consumers: std::collections::BTreeMap<String, crate::ConsumerConfig> =
        serde_json::from_value(consumers).unwrap();
    let all = consumers.iter().map(|(name, own)| (name.as_str(), own));
    let context = Context {
        consumers: std::sync::Arc::new(crate::Directory::build(all).unwrap()),
        ..Context::default()
    };
    let who = |settings: Value| {
        let policy = config(settings).build(&context).unwrap();
        let identity = policy.verifier.verify(TOKEN, 0).unwrap();
        identity
            .consumer
            .clone()
            .map(|consumer| consumer.name.to_string())
    };
    let named = |claim: &str| who(json!({"secret": SECRET, "consumer_claim": claim}));
    assert_eq!(named("sub").as_deref(), Some("acme"));
    assert_eq!(named("scope"), None);
    assert_eq!(named("nope"), None);
    assert_eq!(who(json!({"secret": SECRET})), None);
}

#[test]
fn mistakes_say_what_to_write() {
    for (value, path, words) in [
        (json!({}), "", "which keys"),
        (
            json!({"secret": SECRET, "public_key": "x"}),
            "secret",
            "combined",
        ),
        (json!({"secret": "short"}), "secret", "5 bytes"),
        (
            json!({"secret": SECRET, "algorithms": ["RS256"]}),
            "algorithms.0",
            "secret",
        ),
        (
            json!({"jwks": "a", "algorithms": ["RS256", "HS256"]}),
            "algorithms.1",
            "share",
        ),
        (json!({"jwks": "http://a/"}), "jwks", "plain http"),
        (json!({"jwks": "https://u@a/"}), "jwks", "not a URL"),
        (
            json!({"discovery": "https://a/.well-known/openid-configuration"}),
            "discovery",
            "own URL",
        ),
        (
            json!({"discovery": "https://a/", "jwks": "https://a/"}),
            "discovery",
            "combined",
        ),
        (
            json!({"jwks": "https://a/", "algorithms": ["HS256"]}),
            "algorithms.0",
            "share",
        ),
        (
            json!({"jwks": "https://a/", "fetch": {"min_age": "2h"}}),
            "fetch.min_age",
            "longer",
        ),
        (
            json!({"jwks": "https://a/", "fetch": {"cooldown": "0s"}}),
            "fetch.cooldown",
            "zero",
        ),
        (
            json!({"secret": SECRET, "issuers": [{"issuer": "a", "secret": SECRET}]}),
            "secret",
            "beside",
        ),
        (
            json!({"issuers": [{"secret": SECRET}]}),
            "issuers.0",
            "no name",
        ),
        (
            json!({"issuers": [{"issuer": "a", "secret": SECRET}, {"issuer": "a", "jwks": "https://a/"}]}),
            "issuers.1",
            "twice",
        ),
        (
            json!({"issuers": [{"issuer": "a", "secret": SECRET, "public_key": "x"}]}),
            "issuers.0.secret",
            "combined",
        ),
        (json!({"jwks": "x"}), "jwks", "no JSON"),
        (json!({"public_key": "x"}), "public_key", "BEGIN PUBLIC KEY"),
        (json!({"keys": []}), "keys", "can be used"),
        (
            json!({"keys": [{"kty": "oct", "k": "AAAA"}]}),
            "keys",
            "secret",
        ),
        (
            json!({"secret": SECRET, "from": [{"header": "a b"}]}),
            "from.0.header",
            "header name",
        ),
        (
            json!({"secret": SECRET, "forward": {"X-A": "claims"}}),
            "forward.X-A",
            "needs a name",
        ),
        (
            json!({"secret": SECRET, "forward": {"a b": "claims.sub"}}),
            "forward.a b",
            "header name",
        ),
        (
            json!({"secret": SECRET, "realm": "a\"b"}),
            "realm",
            "quotes",
        ),
    ] {
        let shown = value.to_string();
        let found = faults(value);
        assert!(
            found
                .iter()
                .any(|(at, message)| at == path && message.contains(words)),
            "{shown}: {found:?}"
        );
        assert!(!format!("{found:?}").contains(SECRET), "a secret is shown");
    }
}
