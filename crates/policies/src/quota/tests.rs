#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use http::{Request, Response};
use lintel_http::Body;
use lintel_kernel::Exchange;
use lintel_state::ledger::{Book, Keep};
use serde_json::{Value, json};

use super::{Callers, Config, NoCount, Quota};
use crate::testing::{admitted, by, chain_of, get, policies, refusal};
use crate::{Chain, Context, Depth, RoutePolicies, Setting, testing};

fn context() -> Context {
    Context {
        book: Some(Arc::new(Book::new(1_000, None, Keep::Accounts))),
        route: Some("orders".into()),
        ..Context::default()
    }
}

fn chain(quotas: Value, context: &Context) -> Chain {
    chain_of("quota", quotas, context)
}

fn with(name: &'static str, value: &'static str) -> Exchange {
    testing::of(Request::get("/").header(name, value))
}

/// The fields of an answer to a request.
fn fields(chain: &Chain, exchange: &mut Exchange) -> Vec<(String, String)> {
    let _ = refusal(chain, exchange);
    let mut response = Response::new(Body::empty());
    let mut depth = Depth::default();
    let _ = chain.on_request(&mut depth, &mut get(), &mut Body::empty());
    chain.on_response(&mut depth, exchange, &mut response);
    let all = response.headers().iter();
    let told = all.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    told.collect()
}

/// A time within the period that the quotas count in now.
fn now() -> u64 {
    super::seconds(std::time::Instant::now())
}

fn only(chain: &Chain) -> Arc<Quota> {
    let mut all = chain.quotas();
    let first = all.next().unwrap();
    assert!(all.next().is_none());
    first
}

#[test]
fn everybody_has_so_much() {
    let quotas =
        json!([{ "name": "daily", "limit": "3/day", "per": "request.headers[\"x-user\"]" }]);
    let chain = chain(quotas, &context());
    assert_eq!(admitted(&chain, 5, || with("x-user", "a")), 3);
    assert_eq!(admitted(&chain, 5, || with("x-user", "b")), 3);
    assert_eq!(admitted(&chain, 5, get), 3);
    let refused = refusal(&chain, &mut with("x-user", "a")).unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.code),
        (429, "quota_exceeded")
    );
    assert_eq!(refused.violated.as_deref(), Some("daily"));
    let after = refused.retry_after.unwrap().as_secs();
    assert!((1..=86_400).contains(&after));
    assert_eq!(
        (now() + after) % 86_400 % 86_399,
        0,
        "until midnight, or a second beside it"
    );
}

#[test]
fn one_that_refuses_takes_nothing_of_the_others() {
    let quotas = json!([
        { "name": "wide", "limit": "10/month" },
        { "name": "narrow", "limit": "2/month", "methods": ["POST"] },
    ]);
    let chain = chain(quotas, &context());
    let post = || testing::of(Request::post("/"));
    assert_eq!(admitted(&chain, 5, post), 2);
    assert_eq!(admitted(&chain, 20, get), 8);
}

#[test]
fn what_may_be_overdrawn_is_counted_on() {
    let quotas = json!([{ "limit": "2/month", "overage": "allow", "allow_up_to": 5 }]);
    let chain_to = chain(quotas, &context());
    assert_eq!(admitted(&chain_to, 9, get), 5);
    let quotas = json!([{ "limit": "2/month", "overage": "allow" }]);
    let without = chain(quotas, &context());
    assert_eq!(admitted(&without, 9, get), 9);
    assert_eq!(only(&without).entries(now()), [(String::new(), 9)]);
    let dry = chain(json!([{ "limit": "2/month", "dry_run": true }]), &context());
    assert_eq!(admitted(&dry, 9, get), 9);
}

#[test]
fn costs_count() {
    let cost = "request.query[\"rows\"]";
    let chain = chain(json!([{ "limit": "10/month", "cost": cost }]), &context());
    let rows = |target: &str| refusal(&chain, &mut testing::of(Request::get(target))).is_none();
    assert!(rows("/?rows=8") && !rows("/?rows=3") && rows("/?rows=0"));
    assert!(rows("/?rows=2") && !rows("/?rows=x") && rows("/?rows=0"));
}

#[test]
fn callers_are_told_and_warned() {
    let quotas = json!([{ "name": "monthly", "limit": "10/month", "soft": ["50%", "90%"] }]);
    let chain = chain(quotas, &context());
    let told = fields(&chain, &mut get());
    assert!(told[0].1.starts_with("\"monthly\";q=10;w=2"), "{told:?}");
    assert!(told[1].1.starts_with("\"monthly\";r=9;t="), "{told:?}");
    assert_eq!(told.len(), 2);
    let mut told = Vec::new();
    for _ in 0..3 {
        told = fields(&chain, &mut get());
    }
    assert_eq!(
        told[2],
        ("x-quota-warning".into(), "\"monthly\";used=70".into())
    );
}

#[test]
fn rates_and_quotas_are_told_side_by_side() {
    let policies = json!({
        "rate_limit": [{ "name": "burst", "rate": "5/s" }],
        "quota": [{ "name": "monthly", "limit": "10/month" }],
    });
    let policies: RoutePolicies = serde_json::from_value(policies).unwrap();
    let chain = Chain::build(&policies, &context()).unwrap();
    let told = fields(&chain, &mut get());
    let limits = told.iter().filter(|(name, _)| name == "ratelimit");
    let limits: Vec<&str> = limits.map(|(_, value)| &value[..7]).collect();
    assert_eq!(limits, ["\"monthl", "\"burst\""]);
}

#[test]
fn plans_and_consumers_bring_theirs() {
    let mut context = context();
    let config = |value: Value| -> Config { serde_json::from_value(value).unwrap() };
    let mut callers = Callers::default();
    callers
        .add_plan("gold", Some(&config(json!("3/month"))), &context)
        .unwrap();
    let own = config(json!([{ "limit": "1/day", "name": "own" }]));
    callers
        .add_consumer("strict", Some(&own), &context)
        .unwrap();
    context.quotas = Arc::new(callers);
    let chain = chain(json!([]), &context);
    assert_eq!(admitted(&chain, 5, || by("a", Some("gold"))), 3);
    assert_eq!(admitted(&chain, 5, || by("b", Some("gold"))), 3);
    assert_eq!(admitted(&chain, 5, || by("strict", Some("gold"))), 1);
    assert_eq!(admitted(&chain, 5, || by("free", None)), 5);
    let all: Vec<String> = chain.quotas().map(|quota| quota.id().to_owned()).collect();
    assert!(all.contains(&"plans.gold:3 a month".to_owned()), "{all:?}");
    let gold = chain
        .quotas()
        .find(|quota| quota.id().contains("gold"))
        .unwrap();
    let used: Vec<(String, u64)> = ["a", "b", "strict"]
        .into_iter()
        .zip([3, 3, 1])
        .map(|(name, used)| (name.to_owned(), used))
        .collect();
    assert_eq!(gold.entries(now()), used);
}

#[tokio::test]
async fn counts_can_be_shown_and_set() {
    let quotas = json!([{ "limit": "3/month", "per": "request.headers[\"x-user\"]" }]);
    let chain = chain(quotas, &context());
    admitted(&chain, 5, || with("x-user", "a"));
    let quota = only(&chain);
    assert_eq!(quota.used("a", now()).await, Ok(3));
    assert_eq!(quota.used("b", now()).await, Err(NoCount::Unknown));
    assert_eq!(quota.set("a", now(), 5).await, Ok(5));
    assert_eq!(quota.add("a", now(), -4).await, Ok(1));
    assert_eq!(quota.add("b", now(), 1).await, Err(NoCount::Unknown));
    assert_eq!(admitted(&chain, 5, || with("x-user", "a")), 2);
}

/// Nobody is counted under another's name, however names are chosen.
#[test]
fn names_do_not_meet() {
    let per = json!(["request.headers[\"a\"]", "request.headers[\"b\"]"]);
    let two = chain(json!([{ "limit": "1/month", "per": per }]), &context());
    let both = |a: &'static str, b: &'static str| {
        move || testing::of(Request::get("/").header("a", a).header("b", b))
    };
    for (a, b) in [("x", "yz"), ("xy", "z"), ("x:1=y", ""), ("x", "1=y:")] {
        assert_eq!(admitted(&two, 2, both(a, b)), 1, "{a} {b}");
    }
    let per = "request.headers[\"a\"]";
    let one = chain(json!([{ "limit": "1/month", "per": per }]), &context());
    for value in ["-", "1=-", "-x", "2=-x", "#a", "\t", ""] {
        assert_eq!(admitted(&one, 2, || with("a", value)), 1, "{value:?}");
    }
    assert_eq!(admitted(&one, 2, get), 1);
}

#[test]
fn a_route_adds_to_the_defaults() {
    let read = |value: Value| policies("quota", value);
    let merged = read(json!("5/day")).merged(&read(json!([{ "limit": "7/month" }])));
    let Some(Setting::On(config)) = &merged.quota else {
        panic!("it is on");
    };
    assert_eq!(config.quotas().count(), 2);
    let chain = Chain::build(&merged, &context()).unwrap();
    let ids: Vec<String> = chain.quotas().map(|quota| quota.id().to_owned()).collect();
    assert_eq!(ids, ["routes.orders:5 a day", "defaults:7 a month"]);
}
