//! What operators are told.

use super::*;
use crate::{ConsumerConfig, Context, Directory, hmac::config::Config};

fn context(consumers: &Value) -> Result<Context, Vec<(String, String)>> {
    let all: std::collections::BTreeMap<String, ConsumerConfig> =
        serde_json::from_value(consumers.clone()).unwrap();
    match Directory::build(all.iter().map(|(name, own)| (name.as_str(), own))) {
        Ok(directory) => Ok(Context {
            consumers: std::sync::Arc::new(directory),
            ..Context::default()
        }),
        Err(faults) => Err(told(faults)),
    }
}

fn told(faults: Vec<lintel_kernel::Fault>) -> Vec<(String, String)> {
    let told = |fault: lintel_kernel::Fault| {
        assert!(fault.hint.is_some(), "{fault:?}");
        (fault.path.join("."), fault.message)
    };
    faults.into_iter().map(told).collect()
}

#[test]
fn mistakes_say_what_to_write_and_show_no_secret() {
    let context = context(&consumers()).unwrap();
    for (value, path, words) in [
        (
            json!({"components": ["@status"]}),
            "components.0",
            "@status",
        ),
        (json!({"components": ["Date"]}), "components.0", "Date"),
        (json!({"components": []}), "components", "every request"),
        (json!({"max_age": "2d"}), "max_age", "a day"),
        (json!({"max_age": "0s"}), "max_age", "a second"),
        (json!({"leeway": "2h"}), "leeway", "an hour"),
        (json!({"realm": "\""}), "realm", "quotes"),
        (json!({"format": "aws_sigv4"}), "format", "scope"),
        (
            json!({"aws": {"region": "r", "service": "s"}}),
            "aws",
            "no scope",
        ),
        (
            json!({"format": "aws_sigv4", "nonce": true, "aws": {"region": "r", "service": "s"}}),
            "nonce",
            "no `nonce`",
        ),
        (
            json!({"format": "aws_sigv4", "aws": {"region": "r/", "service": "s"}}),
            "aws.region",
            "`r/`",
        ),
    ] {
        let config: Config = serde_json::from_value(value).unwrap();
        let found = told(config.build(&context).err().expect("a mistake"));
        let [(at, message)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(at == path && message.contains(words), "{at}: {message}");
    }
}

#[test]
fn keys_that_can_not_be_used_are_refused() {
    let key = |more: Value| json!({"acme": {"signing_keys": [more]}});
    for (value, path, words) in [
        (
            json!({"id": "a b", "algorithm": "hmac-sha256", "secret": SECRET}),
            "id",
            "a b",
        ),
        (
            json!({"id": "", "algorithm": "hmac-sha256", "secret": SECRET}),
            "id",
            "id",
        ),
        (
            json!({"id": "a", "algorithm": "hmac-sha256", "secret": "hunter2"}),
            "secret",
            "7 bytes",
        ),
        (
            json!({"id": "a", "algorithm": "hmac-sha256", "base64": true, "secret": "hunter2!"}),
            "secret",
            "base64",
        ),
        (
            json!({"id": "a", "algorithm": "hmac-sha256", "base64": true, "secret": "aHVudGVyMg=="}),
            "secret",
            "7 bytes",
        ),
        (
            json!({"id": "a", "algorithm": "hmac-sha256"}),
            "",
            "needs `secret`",
        ),
        (
            json!({"id": "a", "algorithm": "hmac-sha256", "secret": SECRET, "public_key": "x"}),
            "",
            "needs `secret`",
        ),
        (
            json!({"id": "a", "algorithm": "ed25519", "secret": SECRET}),
            "",
            "public_key",
        ),
        (
            json!({"id": "a", "algorithm": "ed25519", "public_key": "hunter2"}),
            "public_key",
            "PUBLIC KEY",
        ),
        (
            json!({"id": "a", "algorithm": "aws4-hmac-sha256", "secret": "hunter2"}),
            "secret",
            "16 bytes",
        ),
        (
            json!({"id": "a", "algorithm": "aws4-hmac-sha256", "public_key": "x"}),
            "",
            "needs `secret`",
        ),
        (
            json!({"id": "a", "algorithm": "hmac-sha256", "secret": SECRET, "expires": "soon"}),
            "expires",
            "soon",
        ),
    ] {
        let found = context(&key(value)).unwrap_err();
        let [(at, message)] = found.as_slice() else {
            panic!("{found:?}");
        };
        let wanted = ["acme.signing_keys.0", path].join(".");
        assert_eq!(at, wanted.trim_end_matches('.'));
        assert!(
            message.contains(words) && !message.contains("hunter2"),
            "{message}"
        );
    }
    let twice = json!({
        "a": {"signing_keys": [{"id": "k", "algorithm": "hmac-sha256", "secret": SECRET}]},
        "b": {"signing_keys": [{"id": "k", "algorithm": "hmac-sha256", "secret": SECRET}]},
    });
    assert!(context(&twice).unwrap_err()[0].1.contains("consumer `a`"));
}
