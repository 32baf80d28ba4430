#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use serde_json::{Value, json};

use lintel_jose::Claims;
use lintel_kernel::Identity;

use super::{Claimed, ConsumerConfig, Directory, FoundKey, Layer, Layers, Outside, Roll};
use crate::keys::sha256_hex;

fn build(consumers: Value) -> Result<Directory, Vec<(String, String)>> {
    let consumers: BTreeMap<String, ConsumerConfig> = serde_json::from_value(consumers).unwrap();
    let built = Directory::build(consumers.iter().map(|(name, own)| (name.as_str(), own)));
    built.map_err(|faults| {
        let told = |fault: lintel_kernel::Fault| (fault.path.join("."), fault.message);
        faults.into_iter().map(told).collect()
    })
}

#[test]
fn a_token_speaks_for_the_consumer_that_its_claim_names() {
    let directory = build(json!({
        "acme": { "plan": "gold", "groups": ["partners"] },
        "umbrella": { "jwt": { "subjects": ["u-1", "u-2"], "issuer": "https://a/" } },
        "other": { "jwt": { "subjects": ["u-1"] } },
    }))
    .unwrap();
    let roll = Roll::new(Arc::new(directory), None);
    let find = |subject: &str, issuer: Option<&str>| {
        let view = roll.view();
        let found = view.claimed(subject, issuer);
        found.map(|consumer| consumer.name.to_string())
    };
    assert_eq!(find("acme", None).as_deref(), Some("acme"));
    assert_eq!(find("acme", Some("https://b/")).as_deref(), Some("acme"));
    assert_eq!(find("u-1", Some("https://a/")).as_deref(), Some("umbrella"));
    assert_eq!(find("u-1", Some("https://b/")).as_deref(), Some("other"));
    assert_eq!(find("u-2", Some("https://b/")), None, "another issuer");
    assert_eq!(
        find("umbrella", Some("https://a/")),
        None,
        "it has subjects"
    );
    let view = roll.view();
    let acme = view.claimed("acme", None).unwrap();
    assert_eq!(acme.plan.as_deref(), Some("gold"));
    assert_eq!(&*acme.groups[0], "partners");
}

#[test]
fn one_claim_speaks_for_one_consumer() {
    let faults = build(json!({
        "acme": {},
        "umbrella": { "jwt": { "subjects": ["u", "acme"] } },
        "zeta": { "jwt": { "subjects": ["acme"], "issuer": "https://a/" } },
    }))
    .err()
    .unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].0, "umbrella.jwt.subjects.1");
    assert!(faults[0].1.contains("consumer `acme`"));
}

#[test]
fn equal_consumers_make_equal_indexes() {
    let one = |plan: &str| build(json!({ "acme": { "plan": plan } })).unwrap();
    assert_eq!(one("gold").tokens, one("gold").tokens);
    assert_ne!(one("gold").tokens, one("free").tokens);
}

/// Declared consumers, and those from outside: built first, and what has changed of them since.
fn roll(declared: Value, base: Value, changed: Value, hidden: &[&str]) -> (Roll, Arc<Outside>) {
    let layer = |consumers| Layer {
        directory: build(consumers).unwrap(),
        ..Layer::default()
    };
    let hidden = hidden.iter().map(|name| Arc::from(*name)).collect();
    let layers = Layers::new(
        Arc::new(layer(base)),
        layer(changed),
        hidden,
        Arc::default(),
    );
    let outside = Arc::<Outside>::default();
    outside.set(Arc::new(layers));
    let declared = Arc::new(build(declared).unwrap());
    (Roll::new(declared, Some(Arc::clone(&outside))), outside)
}

fn with_key(key: &str) -> Value {
    json!({ "api_keys": [{ "id": key, "sha256": sha256_hex(key) }] })
}

#[test]
fn what_has_changed_hides_what_was_before() {
    let (roll, _) = roll(
        json!({ "declared": with_key("k-declared") }),
        json!({ "same": with_key("k-same"), "other": with_key("k-old"), "gone": with_key("k-gone") }),
        json!({ "other": with_key("k-new"), "late": with_key("k-late") }),
        &["other", "gone"],
    );
    let whose = |key: &str| {
        let view = roll.view();
        match view.key(key) {
            FoundKey::Known(entry) => {
                let identity = entry.identity(0).unwrap();
                identity.consumer.as_ref().map(|own| own.name.to_string())
            }
            _ => None,
        }
    };
    for (key, expected) in [
        ("k-declared", Some("declared")),
        ("k-same", Some("same")),
        ("k-old", None),
        ("k-new", Some("other")),
        ("k-gone", None),
        ("k-late", Some("late")),
        ("k-none", None),
    ] {
        assert_eq!(whose(key).as_deref(), expected, "{key}");
    }
}

#[test]
fn unknown_keys_take_as_long_wherever_a_slow_hash_is() {
    let slow = json!({ "api_keys": [{ "prefix": "slow_", "argon2": crate::keys::argon2id("slow_1").unwrap() }] });
    let (outside, _) = roll(json!({}), json!({ "a": slow }), json!({}), &[]);
    let view = outside.view();
    assert!(matches!(view.key("slow_2"), FoundKey::Perhaps(alike) if alike.len() == 1));
    assert!(matches!(view.key("other"), FoundKey::Perhaps(alike) if alike.is_empty()));
    assert!(view.key_decoy().is_some());
    let (hidden, _) = roll(json!({}), json!({ "a": slow }), json!({}), &["a"]);
    assert!(matches!(hidden.view().key("slow_2"), FoundKey::Perhaps(alike) if alike.is_empty()));
}

#[test]
fn somebody_who_was_recognised_before_is_who_they_are_now() {
    let (roll, outside) = roll(
        json!({}),
        json!({ "acme": { "plan": "free" } }),
        json!({}),
        &[],
    );
    let claimed = Claimed::new("sub".to_owned(), roll);
    let claims = Claims::parse(br#"{"sub": "acme"}"#).unwrap();
    let before = Rc::new(Identity {
        consumer: claimed.consumer(&claims),
        claims: claims.into_map(),
        ..Identity::default()
    });
    assert!(Rc::ptr_eq(&claimed.current(Rc::clone(&before)), &before));
    let now = |consumers: Value, hidden: &[&str]| {
        let (_, other) = self::roll(json!({}), json!({}), consumers, hidden);
        outside.set(other.layers());
        let identity = claimed.current(Rc::clone(&before));
        assert_eq!(identity.claims, before.claims);
        identity.consumer.as_ref().map(|own| own.plan.clone())
    };
    assert_eq!(
        now(json!({ "acme": { "plan": "gold" } }), &["acme"]),
        Some(Some("gold".into()))
    );
    assert_eq!(now(json!({}), &["acme"]), None);
}

#[test]
fn a_credential_of_two_is_found_out() {
    let one = build(json!({
        "a": with_key("k"),
        "b": { "jwt": { "subjects": ["s"] }, "certificates": [{ "dns": "b.test" }] },
        "c": {},
    }));
    let other = build(json!({
        "x": with_key("k"),
        "y": { "jwt": { "subjects": ["s", "c"] }, "certificates": [{ "dns": "B.test" }] },
        "z": with_key("another"),
    }));
    let (one, other) = (one.unwrap(), other.unwrap());
    let mut twins: Vec<(String, String)> = one
        .twins(&other)
        .map(|(own, other)| (own.name.to_string(), other.name.to_string()))
        .collect();
    twins.sort();
    let expected = [("a", "x"), ("b", "y"), ("b", "y"), ("c", "y")];
    assert_eq!(
        twins,
        expected.map(|(own, other)| (own.to_owned(), other.to_owned()))
    );
}
