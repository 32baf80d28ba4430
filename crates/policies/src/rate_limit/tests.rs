#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use http::{Request, Response};
use lintel_http::Body;
use lintel_kernel::Flow;
use lintel_state::limit::Table;
use serde_json::{Value, json};

use super::{Callers, Config};
use crate::testing::{admitted, by, chain_of, from, get, policies, refusal};
use crate::{Chain, Context, Depth, RoutePolicies, Setting, testing};

fn context() -> Context {
    Context {
        table: Some(Arc::new(Table::new(1_000))),
        route: Some("orders".into()),
        ..Context::default()
    }
}

fn chain(limits: Value, context: &Context) -> Chain {
    chain_of("rate_limit", limits, context)
}

#[test]
fn each_caller_has_its_own() {
    let limits = json!([{ "per": "client.ip", "rate": "1/h", "burst": 3 }]);
    let chain = chain(limits, &context());
    assert_eq!(admitted(&chain, 9, || from("192.0.2.1")), 3);
    assert_eq!(admitted(&chain, 9, || from("192.0.2.2")), 3);
    assert_eq!(admitted(&chain, 9, || from("2001:db8::1")), 3);
    // The same network of 64 bits, and the IPv4 address in its IPv6 form.
    assert_eq!(admitted(&chain, 9, || from("2001:db8::2")), 0);
    assert_eq!(admitted(&chain, 9, || from("2001:db8:0:1::1")), 3);
    assert_eq!(admitted(&chain, 9, || from("::ffff:192.0.2.1")), 0);
}

#[test]
fn prefixes_count_together() {
    let prefix = json!({ "v4": 24, "v6": 56 });
    let limits = json!([{ "per": "client.ip", "prefix": prefix, "rate": "1/h", "burst": 3 }]);
    let chain = chain(limits, &context());
    assert_eq!(admitted(&chain, 2, || from("192.0.2.1")), 2);
    assert_eq!(admitted(&chain, 2, || from("192.0.2.255")), 1);
    assert_eq!(admitted(&chain, 2, || from("192.0.3.1")), 2);
    assert_eq!(admitted(&chain, 2, || from("2001:db8::1")), 2);
    assert_eq!(admitted(&chain, 2, || from("2001:db8:0:ff::1")), 1);
}

/// A field that is left out is a value too; parts do not run into each other.
#[test]
fn what_is_absent_counts_together() {
    let per = json!(["request.headers[\"a\"]", "request.headers[\"b\"]"]);
    let chain = chain(json!([{ "per": per, "rate": "1/h" }]), &context());
    let with = |a: &'static str, b: &'static str| {
        move || testing::of(Request::get("/").header("a", a).header("b", b))
    };
    assert_eq!(admitted(&chain, 5, get), 1);
    assert_eq!(admitted(&chain, 5, with("x", "yz")), 1);
    assert_eq!(admitted(&chain, 5, with("xy", "z")), 1);
    assert_eq!(admitted(&chain, 5, with("", "")), 1);
}

#[test]
fn a_refused_request_spends_nothing_elsewhere() {
    let limits = json!([
        { "name": "wide", "rate": "10/h" },
        { "name": "narrow", "rate": "2/h", "per": "client.ip" },
        { "name": "late", "rate": "100/h", "algorithm": "fixed_window" },
    ]);
    let chain = chain(limits, &context());
    assert_eq!(admitted(&chain, 50, || from("192.0.2.1")), 2);
    // Of ten, two are spent and no more.
    let others = (2..20).map(|last| admitted(&chain, 5, || from(&format!("192.0.2.{last}"))));
    assert_eq!(others.sum::<usize>(), 8);
    let rejection = refusal(&chain, &mut from("192.0.2.77")).unwrap();
    assert_eq!(rejection.violated.as_deref(), Some("wide"));
    assert_eq!(rejection.status.as_u16(), 429);
    // Three more seconds than a tenth of an hour would be slow to count.
    let after = rejection.retry_after.unwrap().as_secs();
    assert!((300..=360).contains(&after), "{after}");
}

#[test]
fn conditions_methods_and_costs() {
    let limits = json!([
        { "rate": "2/h", "methods": ["POST"] },
        { "rate": "10/h", "cost": "request.headers[\"cost\"]" },
        { "rate": "1/h", "when": "request.headers[\"x\"] == \"1\"" },
    ]);
    let chain = chain(limits, &context());
    let post = || testing::of(Request::post("/").header("cost", "0"));
    assert_eq!(admitted(&chain, 5, post), 2);
    let costing = |cost: &'static str| move || testing::of(Request::get("/").header("cost", cost));
    assert_eq!(admitted(&chain, 5, costing("4")), 2);
    assert_eq!(admitted(&chain, 5, costing("0")), 5);
    // What is no number costs 1.
    assert_eq!(admitted(&chain, 5, costing("much")), 2);
    let free = || testing::of(Request::get("/").header("cost", "0").header("x", "1"));
    assert_eq!(admitted(&chain, 5, free), 1);
    let huge = refusal(&chain, &mut costing("11")()).unwrap();
    assert_eq!(
        (huge.code, huge.retry_after),
        ("rate_limit_too_expensive", None)
    );
}

#[test]
fn a_dry_run_refuses_nothing() {
    let limits = json!([{ "rate": "1/h", "dry_run": true }, { "rate": "5/h" }]);
    assert_eq!(admitted(&chain(limits, &context()), 9, get), 5);
}

#[test]
fn limits_of_defaults_and_routes_add_up() {
    let defaults = policies("rate_limit", json!([{ "name": "all", "rate": "3/h" }]));
    let own = policies("rate_limit", json!([{ "name": "own", "rate": "2/h" }]));
    let table = context();
    let route = |name: &str, policies: RoutePolicies| {
        let context = Context {
            route: Some(name.into()),
            ..table.clone()
        };
        Chain::build(&policies.merged(&defaults), &context).unwrap()
    };
    let (orders, users) = (
        route("orders", own),
        route("users", RoutePolicies::default()),
    );
    let off = route("off", policies("rate_limit", json!("off")));
    // What the defaults say counts all routes together.
    assert_eq!(admitted(&orders, 9, get), 2);
    assert_eq!(admitted(&users, 9, get), 1);
    assert_eq!(admitted(&off, 9, get), 9);
    let texts: Vec<_> = orders.descriptions().flat_map(|(_, lines)| lines).collect();
    assert_eq!(
        texts,
        ["own (2/h, from routes.orders)", "all (3/h, from defaults)"]
    );
}

#[test]
fn consumers_and_plans_bring_their_limits() {
    let mut context = context();
    let limits = |value: Value| serde_json::from_value::<Config>(value).unwrap();
    let mut callers = Callers::default();
    let gold = limits(json!([{ "rate": "3/h" }]));
    callers.add_plan("gold", &gold, &context).unwrap();
    let acme = limits(json!([{ "rate": "2/h" }]));
    callers.add_consumer("acme", &acme, &context).unwrap();
    context.callers = Arc::new(callers);
    let chain = chain(json!([]), &context);
    assert_eq!(admitted(&chain, 9, || by("acme", Some("gold"))), 2);
    assert_eq!(admitted(&chain, 9, || by("umbrella", Some("gold"))), 3);
    assert_eq!(admitted(&chain, 9, || by("initech", Some("gold"))), 3);
    assert_eq!(admitted(&chain, 9, || by("nobody", None)), 9);
    assert_eq!(admitted(&chain, 9, get), 9);
}

/// A reload builds a new chain over the same table.
#[test]
fn unchanged_limits_go_on() {
    let context = context();
    let limits = json!([{ "rate": "3/h" }]);
    assert_eq!(admitted(&chain(limits.clone(), &context), 9, get), 3);
    assert_eq!(admitted(&chain(limits, &context), 9, get), 0);
    let changed = json!([{ "rate": "4/h" }]);
    assert_eq!(admitted(&chain(changed, &context), 9, get), 4);
}

#[test]
fn answers_tell_what_is_left() {
    let limits = json!([
        { "name": "wide", "rate": "100/h" },
        { "name": "tight", "rate": "2/min", "algorithm": "token_bucket" },
    ]);
    let chain = chain(limits, &context());
    let tell = || {
        let (mut exchange, mut depth) = (get(), Depth::default());
        let flow = chain.on_request(&mut depth, &mut exchange, &mut Body::empty());
        let mut response = Response::new(Body::empty());
        chain.on_response(&mut depth, &mut exchange, &mut response);
        let field = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        (
            matches!(flow, Flow::Next),
            field("ratelimit"),
            field("ratelimit-policy"),
            field("x-ratelimit-remaining"),
        )
    };
    let policy = "\"tight\";q=2;w=60".to_owned();
    let left = |text: &str| text.to_owned();
    assert_eq!(
        tell(),
        (true, left("\"tight\";r=1;t=30"), policy.clone(), left("1"))
    );
    assert_eq!(
        tell(),
        (true, left("\"tight\";r=0;t=60"), policy.clone(), left("0"))
    );
    assert_eq!(
        tell(),
        (false, left("\"tight\";r=0;t=30"), policy, left("0"))
    );
}

#[test]
fn mistakes_say_where_they_are() {
    for (limits, path, words) in [
        (json!([{ "rate": "0/s" }]), "0.rate", "nothing"),
        (json!([{ "rate": "2000000000/s" }]), "0.rate", "1000000000"),
        (
            json!([{ "rate": "5/s", "per": "claim.sub" }]),
            "0.per",
            "no attribute",
        ),
        (
            json!([{ "rate": "5/s", "per": "service.name" }]),
            "0.per",
            "not chosen",
        ),
        (
            json!([{ "rate": "5/s", "per": "response.status" }]),
            "0.per",
            "not known yet",
        ),
        (json!([{ "rate": "5/s", "cost": 6 }]), "0.cost", "more than"),
        (
            json!([{ "rate": "5/s", "methods": ["get"] }]),
            "0.methods",
            "not a method",
        ),
        (
            json!([{ "rate": "5/s", "name": "a \"b\"" }]),
            "0.name",
            "ASCII",
        ),
        (
            json!([{ "rate": "5/s", "burst": 9, "algorithm": "fixed_window" }]),
            "0.burst",
            "no burst",
        ),
        (
            json!([{ "rate": "5/100ms", "algorithm": "sliding_window" }]),
            "0.rate",
            "can't be",
        ),
        (
            json!([{ "rate": "5/s" }, { "rate": "5/s" }]),
            "1",
            "two limits",
        ),
    ] {
        let shown = limits.to_string();
        let Some(Setting::On(config)) = policies("rate_limit", limits).rate_limit else {
            panic!("limits");
        };
        let faults = super::config::build(&config, &context()).expect_err("a mistake");
        assert!(
            faults
                .iter()
                .any(|fault| fault.path.join(".") == path && fault.message.contains(words)),
            "{shown}: {faults:?}"
        );
    }
}
