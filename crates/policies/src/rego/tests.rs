#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, header};
use lintel_http::Body;
use lintel_kernel::{Consumer, Exchange, Flow, Identity};
use serde_json::{Value, json};

use super::{Config, Rego};
use crate::{Context, Policy as _, testing};

fn config(value: Value) -> Config {
    serde_json::from_value(value).unwrap()
}

fn built(policy: &str, more: Value) -> Rego {
    let mut all = json!({ "policies": { "own.rego": policy } });
    let more = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    Rego::build(&config(all), &Context::default()).unwrap()
}

/// A policy whose rule has this value.
fn always(value: &str) -> Rego {
    let policy = format!("package lintel\n\nallow := {value}\n");
    built(&policy, json!({ "upstream_headers": ["X-User", "X-Role"] }))
}

enum Answer {
    Passed,
    Refused(lintel_kernel::Rejection),
    Answered(http::Response<Body>),
}

fn send(rego: &Rego, exchange: &mut Exchange) -> Answer {
    match rego.on_request(exchange, &mut Body::empty()) {
        Flow::Next => Answer::Passed,
        Flow::Refuse(rejection) => Answer::Refused(rejection),
        Flow::Answer(response) => Answer::Answered(response),
        Flow::Wait => panic!("nothing to wait for"),
    }
}

fn passes(rego: &Rego, exchange: &mut Exchange) -> bool {
    matches!(send(rego, exchange), Answer::Passed)
}

fn refused(rego: &Rego, exchange: &mut Exchange) -> (u16, &'static str, String) {
    match send(rego, exchange) {
        Answer::Refused(rejection) => {
            let cause = exchange.cause.as_deref().unwrap_or_default();
            (rejection.status.as_u16(), rejection.code, cause.to_owned())
        }
        _ => panic!("it passed"),
    }
}

/// A request of somebody who is known.
fn of_ada(request: http::request::Builder) -> Exchange {
    let claims =
        json!({ "sub": "ada", "level": 3, "score": 0.5, "groups": ["staff"], "none": null });
    let Value::Object(claims) = claims else {
        unreachable!("an object")
    };
    Exchange {
        identity: Some(Rc::new(Identity {
            method: "jwt",
            consumer: Some(Arc::new(Consumer {
                name: "acme".into(),
                plan: Some("gold".into()),
                groups: vec!["partners".into()],
            })),
            claims,
            credential: Some("key-1".into()),
            scopes: vec!["orders:read".into()],
        })),
        ..testing::of(request)
    }
}

#[test]
fn the_forms_of_a_decision() {
    for (value, allows) in [
        ("true", true),
        ("false", false),
        (r#"{"allow": true}"#, true),
        (r#"{"allow": false}"#, false),
        (r#"{"allowed": true}"#, true),
        // Two that disagree deny, in whichever order.
        (r#"{"allow": true, "allowed": false}"#, false),
        (r#"{"allow": false, "allowed": true}"#, false),
        (r#"{"allow": true, "dynamic_metadata": {"a": 1}}"#, true),
    ] {
        let mut exchange = testing::get();
        assert_eq!(passes(&always(value), &mut exchange), allows, "{value}");
    }
}

#[test]
fn what_is_no_decision_lets_nobody_pass() {
    for (value, cause) in [
        ("1", "neither true nor false"),
        (r#""true""#, "neither true nor false"),
        ("[true]", "neither true nor false"),
        ("{true}", "neither true nor false"),
        ("{}", "without `allow`"),
        (r#"{"allow": "true"}"#, "`allow` has a value"),
        (r#"{"allow": 1}"#, "`allow` has a value"),
        (
            r#"{"allow": true, "obligations": []}"#,
            "`obligations` means nothing",
        ),
        (
            r#"{"allow": true, "headers": {"X-Other": "a"}}"#,
            "not among `upstream_headers`",
        ),
        (
            r#"{"allow": true, "headers": {"Host": "a"}}"#,
            "may not be set",
        ),
        (
            r#"{"allow": true, "headers": {"X-User": "a\nb"}}"#,
            "may not be set",
        ),
        (
            r#"{"allow": true, "headers": {"X-User": 1}}"#,
            "`headers` has a value",
        ),
        (r#"{"allow": true, "status": 99}"#, "`status` has a value"),
        (
            r#"{"allow": true, "request_headers_to_remove": ["Host"]}"#,
            "may not be removed",
        ),
        (
            r#"{"allow": true, "query_parameters_to_set": {"a": ["1", "2"]}}"#,
            "needs one value",
        ),
    ] {
        let (status, code, told) = refused(&always(value), &mut testing::get());
        assert_eq!((status, code), (500, "authorization_failed"), "{value}");
        assert!(told.starts_with("decision_invalid: "), "{value}: {told}");
        assert!(told.contains(cause), "{value}: {told}");
    }
}

#[test]
fn a_rule_without_a_value_lets_nobody_pass() {
    let rego = built(
        "package lintel\n\nallow if input.claims.sub == \"ada\"\n",
        json!({}),
    );
    assert!(passes(&rego, &mut of_ada(Request::get("/"))));
    let told = refused(&rego, &mut testing::get());
    assert_eq!(told, (403, "denied", "undefined".to_owned()));
}

#[test]
fn the_upstream_learns_what_the_decision_says() {
    let rego = always(
        r#"{
            "allow": true,
            "headers": {"X-User": "ada", "X-Role": ["clerk", "nurse"]},
            "request_headers_to_remove": ["X-Internal"],
            "query_parameters_to_set": {"tenant": "acme"},
            "query_parameters_to_remove": ["admin"],
            "response_headers_to_add": {"X-Decided": "yes"}
        }"#,
    );
    let fields = [("x-user", "root"), ("x_role", "root"), ("x-internal", "1")];
    let mut exchange = testing::exchange("/a?admin=1&b=2", &fields);
    assert!(passes(&rego, &mut exchange));
    let headers = &exchange.request.headers;
    assert_eq!(headers["x-user"], "ada");
    let roles: Vec<_> = headers.get_all("x-role").iter().collect();
    assert_eq!(roles, ["clerk", "nurse"]);
    assert!(!headers.contains_key("x_role") && !headers.contains_key("x-internal"));
    assert_eq!(exchange.request.uri, "/a?b=2&tenant=acme");
    let mut response = http::Response::new(Body::empty());
    rego.on_response(&mut exchange, &mut response);
    assert_eq!(response.headers()["x-decided"], "yes");
}

#[test]
fn forged_fields_go_even_where_the_decision_sets_none() {
    let mut exchange = testing::exchange("/", &[("X-User", "root"), ("X_Role", "root")]);
    assert!(passes(&always("true"), &mut exchange));
    assert!(
        exchange.request.headers.is_empty(),
        "{:?}",
        exchange.request.headers
    );
}

#[test]
fn a_refusal_says_what_the_decision_has_for_the_client() {
    let rego = always(
        r#"{
            "allow": false, "reason": ["too young", "too late"], "status": 451,
            "headers": {"X-Why": "law", "Content-Length": "9"}, "body": "no"
        }"#,
    );
    let mut exchange = testing::get();
    let Answer::Answered(response) = send(&rego, &mut exchange) else {
        panic!("an answer")
    };
    assert_eq!(response.status(), 451);
    assert_eq!(response.headers()["x-why"], "law");
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
    assert_eq!(exchange.cause.as_deref(), Some("too young; too late"));
    assert_eq!(exchange.refused.map(|refused| refused.code), Some("denied"));

    // Without a body: the gateway's own, with no word of the reason.
    let rego = always(r#"{"allow": false, "reason": "a secret reason", "status": 404}"#);
    let mut exchange = testing::get();
    let Answer::Refused(rejection) = send(&rego, &mut exchange) else {
        panic!("a refusal")
    };
    assert_eq!(rejection.status, 404);
    assert!(
        !format!("{rejection:?}").contains("secret"),
        "{rejection:?}"
    );
    assert_eq!(exchange.cause.as_deref(), Some("a secret reason"));
}

#[test]
fn a_reason_is_not_longer_than_a_log_line_bears() {
    let long = "é".repeat(400);
    let rego = always(&format!(r#"{{"allow": false, "reason": "{long}"}}"#));
    let mut exchange = testing::get();
    refused(&rego, &mut exchange);
    assert_eq!(exchange.cause.unwrap().chars().count(), 256);
}

#[test]
fn policies_see_the_request_and_who_is_calling() {
    let policy = r#"
        package lintel
        default allow := false
        http := input.attributes.request.http
        allow if {
            http.method == "PUT"
            http.path == "/a%2Fb/c?x=1&x=2&y=%C3%A9+f"
            http.headers["x-tenant"] == "acme,umbrella"
            http.protocol == "HTTP/1.1"
            http.scheme == "http"
            input.attributes.source.address.socketAddress.address == "192.0.2.1"
            input.parsed_path == ["a/b", "c"]
            input.parsed_query == {"x": ["1", "2"], "y": ["é f"]}
            input.claims.level + 1 == 4
            input.claims.score == 0.5
            input.claims.none == null
            "staff" in input.claims.groups
            input.scopes == ["orders:read"]
            input.consumer == {"name": "acme", "plan": "gold", "groups": ["partners"]}
            input.auth == {"method": "jwt", "credential": "key-1"}
        }
    "#;
    let rego = built(policy, json!({}));
    let request = || {
        Request::put("/a%2Fb/c?x=1&x=2&y=%C3%A9+f")
            .header("X-Tenant", "acme")
            .header("x-tenant", "umbrella")
    };
    assert!(passes(&rego, &mut of_ada(request())));
    assert!(!passes(&rego, &mut testing::of(request())));
    // Of nobody there are no claims, not empty ones.
    let rego = built("package lintel\nallow if not input.claims\n", json!({}));
    assert!(passes(&rego, &mut testing::get()));
    assert!(!passes(&rego, &mut of_ada(Request::get("/"))));
}

#[test]
fn data_are_put_together_and_stay_as_they_are() {
    let policy = r#"
        package lintel
        allow if {
            some role in data.roles[input.claims.sub]
            data.may[role][input.attributes.request.http.method]
        }
    "#;
    let data = json!({ "data": [
        r#"{"roles": {"ada": ["clerk"]}}"#, r#"{"may": {"clerk": {"GET": true}}}"#
    ]});
    let rego = built(policy, data);
    // A worker's engine decides more than once.
    for _ in 0..3 {
        assert!(passes(&rego, &mut of_ada(Request::get("/"))));
        assert!(!passes(&rego, &mut of_ada(Request::put("/"))));
        assert!(!passes(&rego, &mut testing::get()));
    }
}

#[test]
fn a_decision_that_takes_too_long_ends() {
    for body in [
        // A comprehension over 10^10 pairs.
        "x := numbers.range(1, 90000)\n pairs := [1 | some a in x; some b in x; a * b == 0]\n count(pairs) > 0",
        // The same as a condition.
        "x := numbers.range(1, 90000)\n some a in x\n some b in x\n a * b == 0",
        // With `every`, which fails at the very end.
        "x := numbers.range(1, 90000)\n every a in x { every b in x { a * b > 0 } }",
    ] {
        let policy = format!("package lintel\n\nallow if {{\n input.auth\n {body}\n}}\n");
        let rego = built(&policy, json!({ "timeout": "20ms" }));
        let begun = Instant::now();
        let (status, code, told) = refused(&rego, &mut of_ada(Request::get("/")));
        // By far: without the limit it takes minutes.
        assert!(begun.elapsed() < Duration::from_secs(5), "{body}");
        assert_eq!(
            (status, code),
            (500, "authorization_failed"),
            "{body}: {told}"
        );
        assert!(told.starts_with("policy_timeout: "), "{body}: {told}");
    }
}

#[test]
fn a_list_of_numbers_does_not_take_all_memory() {
    for numbers in [
        "numbers.range(1, 100000000000)",
        "numbers.range(-9223372036854775808, 9223372036854775807)",
        "numbers.range_step(0, 9223372036854775807, 2)",
    ] {
        let policy = format!("package lintel\n\nallow if {{ input.auth; count({numbers}) > 0 }}\n");
        let (status, _, told) = refused(&built(&policy, json!({})), &mut of_ada(Request::get("/")));
        assert_eq!(status, 500, "{numbers}: {told}");
    }
    let policy = r"
        package lintel
        allow if {
            numbers.range(3, 1) == [3, 2, 1]
            numbers.range(-1, 1) == [-1, 0, 1]
            numbers.range_step(0, 7, 3) == [0, 3, 6]
            numbers.range_step(7, 0, 3) == [7, 4, 1]
            not numbers.range_step(0, 7, 0)
            count(numbers.range(1, 100000)) == 100000
        }
    ";
    assert!(passes(
        &built(policy, json!({ "timeout": "1s" })),
        &mut testing::get()
    ));
}

#[test]
fn rules_that_contradict_each_other_let_nobody_pass() {
    let policy = "package lintel\n\nallow := true if input.auth\nallow := false if input.claims.sub == \"ada\"\n";
    let (status, _, told) = refused(&built(policy, json!({})), &mut of_ada(Request::get("/")));
    assert_eq!(status, 500);
    assert!(told.starts_with("policy_failed: "), "{told}");
    assert!(!told.contains("allow := "), "a line of the policy: {told}");
}

#[test]
fn a_dry_run_refuses_nothing() {
    for value in [
        "false",
        "1",
        r#"{"allow": false, "headers": {"X-User": "a"}}"#,
    ] {
        let policy = format!("package lintel\n\nallow := {value}\n");
        let rego = built(
            &policy,
            json!({ "dry_run": true, "upstream_headers": ["X-User"] }),
        );
        let mut exchange = testing::exchange("/", &[("X-User", "root")]);
        assert!(passes(&rego, &mut exchange), "{value}");
        assert_eq!(exchange.cause, None, "{value}");
        assert_eq!(exchange.request.headers, HeaderMap::new(), "{value}");
        assert!(rego.describe().iter().any(|line| line.contains("dry run")));
    }
}

#[test]
fn another_rule_of_another_package() {
    let policy = "package shop.orders\n\nmay if input.claims.sub == \"ada\"\n";
    let rego = built(policy, json!({ "query": "data.shop.orders.may" }));
    assert!(passes(&rego, &mut of_ada(Request::get("/"))));
    assert_eq!(
        rego.describe(),
        ["lets pass what data.shop.orders.may allows"]
    );
}

#[test]
fn mistakes_say_where_and_what() {
    let of = |policy: &str| json!({ "policies": { "own.rego": policy } });
    let with = |more: Value| {
        let mut all = of("package lintel\nallow := true\n");
        let more = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(more);
        all
    };
    for (value, path, words) in [
        (json!({ "policies": {} }), "policies", "there is no policy"),
        (
            of("allow := true"),
            "policies.own.rego",
            "begins with `package`",
        ),
        (
            of("package lintel\n\nallow {\n"),
            "policies.own.rego",
            "own.rego:",
        ),
        (
            of("package lintel\n\nallow if nothing\n"),
            "policies.own.rego",
            "own.rego:3:",
        ),
        (
            of("package lintel\nallow if f(1)\n"),
            "policies.own.rego",
            "could not find function f",
        ),
        (
            of("package lintel\nallow if {\n  http.send({}).status_code == 200\n}\n"),
            "policies.own.rego",
            "own.rego:3:3: `http.send` can't be called here",
        ),
        (
            of("package lintel\nallow if io.jwt.decode(input.token)\n"),
            "policies.own.rego",
            "`io.jwt` can't be called",
        ),
        (
            of("package other\nallow := true\n"),
            "query",
            "no policy has a rule",
        ),
        (
            with(json!({ "query": "data" })),
            "query",
            "no policy has a rule",
        ),
        (
            with(json!({ "query": "allow" })),
            "query",
            "no policy has a rule",
        ),
        (with(json!({ "data": ["{"] })), "data.0", "no JSON"),
        (with(json!({ "data": ["[1]"] })), "data.0", "can't be added"),
        (
            with(json!({ "data": [r#"{"a": 1}"#, r#"{"a": 2}"#] })),
            "data.1",
            "can't be added",
        ),
        (with(json!({ "timeout": "0s" })), "timeout", "may not take"),
        (with(json!({ "timeout": "2s" })), "timeout", "may not take"),
        (
            with(json!({ "upstream_headers": ["Host"] })),
            "upstream_headers.0",
            "may not be changed",
        ),
        (
            with(json!({ "upstream_headers": ["a b"] })),
            "upstream_headers.0",
            "not a header name",
        ),
    ] {
        let shown = value.to_string();
        let faults = config(value)
            .build(&Context::default())
            .err()
            .unwrap_or_default();
        let found = faults.iter().any(|fault| {
            fault.path.join(".") == path && fault.message.contains(words) && fault.hint.is_some()
        });
        assert!(found, "{shown}: {faults:?}");
    }
}

#[test]
fn names_that_only_look_like_functions_that_are_not_there() {
    let policy = r#"
        package lintel
        # http.send(everything) would be a bad idea
        crypto := {"md5": 1}
        allow if {
            not_http.send == 1
            crypto.md5 == 1
            input.text != "http.send"
        } else := true
        not_http := {"send": 1}
    "#;
    assert!(passes(&built(policy, json!({})), &mut testing::get()));
}

#[test]
fn nothing_of_what_is_no_policy_is_told() {
    for config in [
        json!({ "policies": { "a": "s3cr3t-value" } }),
        json!({ "policies": { "a": "package lintel\nallow := true" }, "data": ["s3cr3t-value"] }),
    ] {
        let config: Config = serde_json::from_value(config).unwrap();
        let faults = config.build(&Context::default()).err().unwrap();
        assert!(faults.iter().all(|fault| fault.discreet), "{faults:?}");
        assert!(!format!("{faults:?}").contains("s3cr3t"), "{faults:?}");
    }
}

/// OPA takes none of these. Functions that call themselves would take the stack of the worker, and the
/// process with it.
#[test]
fn rules_that_come_back_to_themselves_are_mistakes() {
    for (rules, message) in [
        (
            "f(x) := f(x)\nallow if f(1)",
            "`data.lintel.f` comes back to itself",
        ),
        (
            "f(x) := y if { x > 0; y := f(x - 1) }\nf(0) := 0\nallow if f(count(input.parsed_query)) == 0",
            "`data.lintel.f` comes back to itself",
        ),
        (
            "f(x) := g(x)\ng(x) := data.lintel.f(x)\nallow if f(1)",
            "`data.lintel.f` comes back to itself by `data.lintel.g`",
        ),
        (
            "allow if { some rule in data.lintel; rule }",
            "`data.lintel.allow` comes back to itself",
        ),
        (
            "import data.lintel as own\nallow if own[\"may\"]\nmay if count([1 | own.allow]) > 0",
            "`data.lintel.allow` comes back to itself by `data.lintel.may`",
        ),
        (
            "allow if every x in [1] { x == other.may }\nother := {\"may\": 1} if not allow",
            "`data.lintel.allow` comes back to itself by `data.lintel.other`",
        ),
        (
            "allow if { x := may with input as {\"a\": allow}; x }\nmay := input.a",
            "`data.lintel.allow` comes back to itself",
        ),
    ] {
        let policy = format!("package lintel\n\n{rules}\n");
        let config = config(json!({ "policies": { "own.rego": policy } }));
        let faults = Rego::build(&config, &Context::default())
            .err()
            .expect(rules);
        assert_eq!(faults.len(), 1, "{rules}");
        assert_eq!(faults[0].path, ["policies", "own.rego"], "{rules}");
        let told = &faults[0].message;
        assert!(told.ends_with(message), "{rules}: {told}");
        assert!(told.starts_with("own.rego:"), "{rules}: {told}");
    }
}

#[test]
fn rules_that_only_look_as_if_they_came_back_are_fine() {
    for rules in [
        // Variables that are called like rules.
        "allow if may(1)\nmay(allow) if allow == 1",
        "allow if { may := 1; f(may) == 1 }\nmay if allow\nf(x) := x",
        "allow if every other in [1] { other == 1 }\nother if allow",
        // Parts of one object, and a rule of that name in another package.
        "a.b := 1\na.c := a.b\nallow if a.c == 1",
        "allow if { {\"allow\": 1}.allow == 1; input.allow != true; data.shop.allow != true }",
        "allow if f(1, 2)\nf(x, y) if g(x, y)\nelse := g(y, x)\ng(x, y) if x < y",
    ] {
        let policy = format!("package lintel\n\n{rules}\n");
        built(&policy, json!({}));
    }
}

#[test]
fn rules_do_not_lie_deep_in_each_other() {
    let chain = |length: usize| {
        let rules = (0..length).map(|at| format!("f{at}(x) := f{}(x)\n", at + 1));
        let rules: String = rules.collect();
        let policy = format!("package lintel\n{rules}f{length}(x) := x\nallow if f0(1) == 1\n");
        config(json!({ "policies": { "own.rego": policy } }))
    };
    let deep = Rego::build(&chain(60), &Context::default()).unwrap();
    assert!(passes(&deep, &mut testing::get()));
    let faults = Rego::build(&chain(5_000), &Context::default())
        .err()
        .unwrap();
    assert!(
        faults[0].message.contains("more than 64 rules"),
        "{}",
        faults[0].message
    );
}
