#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use lintel_jose::Rules;
use lintel_upstream::{Service, ServiceSpec, service::EndpointSpec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Demands, Known},
    config::Config,
};
use crate::{Context, Reply, Unanswered};

const NOW: u64 = 1_700_000_000;

fn context() -> Context {
    let endpoint = EndpointSpec::http(([127, 0, 0, 1], 1).into());
    let service = Service::build(ServiceSpec::new("auth", vec![endpoint]), None).unwrap();
    Context {
        services: Arc::new([("auth".to_owned(), service)].into()),
        ..Context::default()
    }
}

#[test]
fn mistakes_say_what_to_write() {
    for (more, path, words) in [
        (json!({ "path": "introspect" }), "path", "not a path"),
        (
            json!({ "path": "https://auth.example.com/introspect" }),
            "path",
            "not a path",
        ),
        (json!({ "service": "other" }), "service", "no service"),
        (json!({ "timeout": "0s" }), "timeout", "no time"),
        (json!({ "realm": "a\"b" }), "realm", "quotes"),
        (
            json!({ "forward": { "X-A": "nope" } }),
            "forward.X-A",
            "no attribute",
        ),
        (
            json!({ "from": [{ "header": "a b" }] }),
            "from.0.header",
            "not a header name",
        ),
    ] {
        let mut config = json!({ "service": "auth", "path": "/introspect" });
        let members = more.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(members);
        let config: Config = serde_json::from_value(config).unwrap();
        let faults = config.build(&context()).err().expect("a mistake");
        let found = faults
            .iter()
            .any(|fault| fault.path.join(".") == path && fault.message.contains(words));
        assert!(found, "{more}: {faults:?}");
    }
}

fn demands() -> Demands {
    Demands {
        rules: Rules {
            issuers: vec!["https://auth.example.com/".to_owned()],
            audiences: vec!["api".to_owned()],
            required: vec!["sub".to_owned()],
            allow_eternal: true,
            ..Rules::default()
        },
        scope_claim: None,
        consumers: None,
    }
}

fn understand(status: u16, body: impl Into<Bytes>) -> Result<(Known, Option<u64>), Unanswered> {
    let mut response = Response::new(());
    *response.status_mut() = status.try_into().unwrap();
    let reply = Reply {
        head: response.into_parts().0,
        body: body.into(),
        trailers: HeaderMap::new(),
    };
    demands().understand(&reply, NOW)
}

fn said(change: Value) -> (Known, Option<u64>) {
    let mut answer = json!({
        "active": true, "sub": "ada", "iss": "https://auth.example.com/", "aud": ["api", "b"],
        "scope": "read write", "exp": NOW + 100, "jti": "t-1",
    });
    for (name, value) in change.as_object().unwrap() {
        let answer = answer.as_object_mut().unwrap();
        match value {
            Value::Null => answer.remove(name),
            value => answer.insert(name.clone(), value.clone()),
        };
    }
    understand(200, answer.to_string()).unwrap()
}

#[test]
fn a_good_token_speaks_for_somebody() {
    let (known, until) = said(json!({}));
    let Known::Active(identity) = known else {
        panic!("{known:?}");
    };
    assert_eq!(until, Some(NOW + 100));
    assert_eq!(identity.method, "oauth2_introspection");
    assert_eq!(identity.credential.as_deref(), Some("t-1"));
    assert_eq!(identity.claims["sub"], "ada");
    assert!(identity.has_scope("read") && identity.has_scope("write"));
    let (known, until) = said(json!({ "exp": null, "scope": ["a b", "c", 1] }));
    let Known::Active(identity) = known else {
        panic!("{known:?}");
    };
    assert!(identity.has_scope("a b") && identity.has_scope("c"));
    assert_eq!((identity.scopes.len(), until), (2, None));
}

#[test]
fn a_bad_token_is_refused_and_the_log_says_why() {
    for (change, cause) in [
        (json!({ "active": false }), "token_inactive"),
        (json!({ "exp": NOW }), "token_expired"),
        (json!({ "nbf": NOW + 1 }), "token_not_yet_valid"),
        (
            json!({ "iss": "https://other.example.com/" }),
            "token_issuer",
        ),
        (json!({ "aud": "other" }), "token_audience"),
        (json!({ "sub": null }), "token_missing_claim"),
    ] {
        let shown = change.to_string();
        match said(change).0 {
            Known::Refused(found) => assert_eq!(found, cause, "{shown}"),
            Known::Active(_) => panic!("{shown} is believed"),
        }
    }
}

#[test]
fn what_says_nothing_of_a_token_is_no_answer() {
    for (status, body) in [
        (200, ""),
        (200, "true"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"active": "true"}"#),
        (200, r#"{"active": 1}"#),
        (200, r#"{"active": null}"#),
        (200, r#"{"active": false, "active": true}"#),
        (200, r#"{"active": true"#),
        (200, "<html>"),
        (201, r#"{"active": true}"#),
        (302, r#"{"active": true}"#),
        (401, r#"{"active": true}"#),
        (500, r#"{"active": false}"#),
    ] {
        let lost = understand(status, body).err();
        let lost = lost.unwrap_or_else(|| panic!("{status} {body} is an answer"));
        assert_eq!(lost.code, "answer_invalid", "{status} {body}");
    }
}

proptest! {
    /// Whatever comes, nobody is believed without `"active": true`.
    #[test]
    fn garbage_makes_nobody_active(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(understand(200, body).is_err());
    }
}
