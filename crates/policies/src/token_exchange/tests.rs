#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use http::{HeaderMap, StatusCode};
use lintel_kernel::Identity;
use lintel_upstream::client::Answer;
use serde_json::{Value, json};

use super::{exchanger::until, *};
use crate::RoutePolicies;
use crate::testing::{exchange, pass};

fn settings(change: &Value) -> Value {
    let mut all = json!({
        "endpoint": "https://auth.example.com/token",
        "client_id": "gateway",
        "client_secret": "s3cr3t",
        "audience": ["orders"],
    });
    for (key, value) in change.as_object().unwrap() {
        match value {
            Value::Null => all.as_object_mut().unwrap().remove(key),
            value => all
                .as_object_mut()
                .unwrap()
                .insert(key.clone(), value.clone()),
        };
    }
    all
}

fn build(change: &Value, context: &Context) -> Result<TokenExchange, Vec<Fault>> {
    let config: Config = serde_json::from_value(settings(change)).unwrap();
    config.build(context)
}

#[test]
fn mistakes_say_what_to_write() {
    for (change, path, words) in [
        (json!({ "endpoint": null }), "", "nothing says where"),
        (
            json!({ "provider": "https://auth.example.com/" }),
            "endpoint",
            "combined",
        ),
        (
            json!({ "endpoint": "http://auth.example.com/token" }),
            "endpoint",
            "plain http",
        ),
        (json!({ "client_id": "" }), "client_id", "has an id"),
        (
            json!({ "client_authentication": "none" }),
            "client_authentication",
            "public client",
        ),
        (
            json!({ "client_authentication": "private_key_jwt" }),
            "client_authentication",
            "no key",
        ),
        (
            json!({ "client_key": { "pem": "x" } }),
            "client_secret",
            "no secret",
        ),
        (
            json!({ "client_secret": null, "client_key": { "pem": "x" } }),
            "client_key.pem",
            "BEGIN PRIVATE KEY",
        ),
        (
            json!({ "client_key": { "pem": "x" }, "client_authentication": "post" }),
            "client_key",
            "alone",
        ),
        (json!({ "audience": [] }), "", "what the new token is for"),
        (json!({ "scopes": ["a b"] }), "scopes.0", "spaces"),
        (json!({ "resource": [""] }), "resource.0", "empty"),
        (json!({ "timeout": "0s" }), "timeout", "zero"),
        (
            json!({ "from": [{ "header": "a b" }] }),
            "from.0.header",
            "not a header name",
        ),
    ] {
        let faults = build(&change, &Context::default())
            .err()
            .expect("a mistake");
        let found = faults
            .iter()
            .any(|fault| fault.path.join(".") == path && fault.message.contains(words));
        assert!(found, "{change}: {faults:?}");
    }
}

#[test]
fn a_token_that_is_gone_before_is_a_mistake() {
    let with = |others: Value| {
        let mut all = json!({ "token_exchange": settings(&json!({})) });
        all.as_object_mut()
            .unwrap()
            .extend(others.as_object().unwrap().clone());
        let policies: RoutePolicies = serde_json::from_value(all).unwrap();
        without_token(&policies).map(|fault| fault.message)
    };
    let jwt = |keep: bool| json!({ "jwks": "https://a.example/", "keep_token": keep });
    let asked = |keep: bool| json!({ "service": "a", "path": "/", "keep_token": keep });
    assert_eq!(with(json!({ "jwt": jwt(true) })), None);
    assert_eq!(
        with(json!({ "jwt": jwt(false), "oauth2_introspection": asked(true) })),
        None
    );
    assert!(
        with(json!({ "jwt": jwt(false) }))
            .unwrap()
            .contains("`jwt` takes the token")
    );
    assert!(with(json!({ "oauth2_introspection": asked(false) })).is_some());
    assert!(with(json!({ "jwt": "off" })).unwrap().contains("no policy"));
}

#[test]
fn a_token_is_not_used_to_its_very_end() {
    for (said, ahead, used) in [
        (json!({ "expires_in": 3600 }), 10, 3590),
        (json!({ "expires_in": 12 }), 10, 6),
        (json!({ "expires_in": 0 }), 10, 0),
        (json!({}), 10, 50),
        (json!({ "expires_in": 5 }), 0, 5),
    ] {
        let answer = Answer {
            status: StatusCode::OK,
            fields: HeaderMap::new(),
            body: said.to_string().into(),
        };
        let granted = crate::token_endpoint::read(&answer).unwrap();
        assert_eq!(until(&granted, ahead) - granted.received, used, "{said}");
    }
}

#[tokio::test]
async fn whatever_happens_the_callers_token_does_not_go_on() {
    let request = || {
        let fields = [("authorization", "Bearer theirs"), ("cookie", "a=b")];
        let mut exchange = exchange("/", &fields);
        exchange.identity = Some(std::rc::Rc::new(Identity::default()));
        exchange
    };
    let gone = |exchange: &Exchange| {
        let headers = &exchange.request.headers;
        headers["cookie"] == "a=b" && !headers.contains_key("authorization")
    };
    // Nothing is started, so that nobody is asked.
    for (more, passed) in [
        (json!({}), Err(503)),
        (json!({ "on_failure": "allow" }), Ok(())),
    ] {
        let policies = json!({
            "jwt": { "secret": "a-secret-of-at-least-thirty-two-bytes", "keep_token": true },
            "token_exchange": settings(&more),
        });
        let chain = crate::testing::chain(policies, json!({}));
        let mut exchange = request();
        let (found, waited) = pass(&chain, &mut exchange).await;
        assert_eq!(found.map_err(|no| no.status.as_u16()), passed);
        assert!(waited && gone(&exchange));
    }
    let context = Context {
        dry: true,
        ..Context::default()
    };
    let rehearsed = build(&json!({}), &context).unwrap();
    let mut exchange = request();
    let flow = rehearsed.on_request(&mut exchange, &mut Body::empty());
    assert!(matches!(flow, Flow::Next) && gone(&exchange));
}
