#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::config::Config;
use crate::Context;

fn faults(value: Value) -> Vec<(String, String)> {
    let config: Config = serde_json::from_value(value).unwrap();
    let faults = config.build(&Context::default()).err().expect("a mistake");
    faults
        .into_iter()
        .map(|fault| (fault.path.join("."), fault.message))
        .collect()
}

#[test]
fn mistakes_say_what_to_write() {
    for (value, path, words) in [
        (json!({}), "", "nothing is demanded"),
        (json!({"condition": "claims.a =="}), "condition", "CEL"),
        (
            json!({"condition": "response.status == 200"}),
            "condition",
            "not known yet",
        ),
        (json!({"claims": {"a": []}}), "claims.a", "compared"),
        (json!({"claims": {"a": [null]}}), "claims.a", "compared"),
        (
            json!({"methods": {"post": {"scopes": ["a"]}}}),
            "methods.post",
            "not a method",
        ),
        (
            json!({"methods": {"POST": {"condition": "nope"}}}),
            "methods.POST.condition",
            "no attribute",
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
    }
}
