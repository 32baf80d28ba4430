#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ConsumerConfig, Directory};

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
    let find = |subject: &str, issuer: Option<&str>| {
        let found = directory.tokens.find(subject, issuer);
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
    let acme = directory.tokens.find("acme", None).unwrap();
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
