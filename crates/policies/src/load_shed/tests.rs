#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, StatusCode};
use lintel_http::Body;
use lintel_kernel::{Ending, Exchange, Flow, Outcome, Priority, exchange::Refused};
use lintel_state::limit::Table;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Config, config,
    shed::{Bounds, Lately, Shedding},
};
use crate::{
    Chain, Context, Depth,
    testing::{self, chain_of, from, get, policies, refusal},
};

fn context() -> Context {
    Context {
        table: Some(Arc::new(Table::new(1_000))),
        route: Some("orders".into()),
        targets: Some([Arc::from("shop")].into()),
        ..Context::default()
    }
}

fn chain(config: Value, context: &Context) -> Chain {
    chain_of("load_shed", config, context)
}

fn shedding(config: Value) -> Shedding {
    let config: Config = serde_json::from_value(config).unwrap();
    config::build(&config, &context()).unwrap().unwrap()
}

/// Sends requests to a service that answers with a status; how many were refused.
fn exchange(chain: &Chain, count: usize, status: u16, make: impl Fn() -> Exchange) -> usize {
    let refused = |mut one: Exchange| {
        let mut depth = Depth::default();
        let flow = chain.on_request(&mut depth, &mut one, &mut Body::empty());
        if matches!(flow, Flow::Refuse(_)) {
            return true;
        }
        one.service = Some(0);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        chain.on_response(&mut depth, &mut one, &mut response);
        false
    };
    (0..count).filter(|_| refused(make())).count()
}

#[test]
fn a_service_that_answers_well_gets_everything() {
    let chain = chain(json!({}), &context());
    for status in [200, 404, 500, 502] {
        assert_eq!(exchange(&chain, 200, status, get), 0, "{status}");
    }
}

#[test]
fn one_that_does_not_gets_less() {
    let chain = chain(json!({ "max_refused": "100%" }), &context());
    assert_eq!(exchange(&chain, 20, 503, get), 0, "too few to tell");
    let refused = refusal(&chain, &mut get()).unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!((refused.by, refused.code), ("load_shed", "load_shed"));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(10)));
    assert_eq!(exchange(&chain, 100, 200, get), 100, "all of it is refused");
}

#[test]
fn each_caller_is_held_back_for_its_own_requests() {
    let chain = chain(
        json!({ "per": "client.ip", "max_refused": "100%" }),
        &context(),
    );
    exchange(&chain, 20, 429, || from("192.0.2.1"));
    let refused = refusal(&chain, &mut from("192.0.2.1")).unwrap();
    assert_eq!(refused.status, 429);
    assert_eq!(exchange(&chain, 50, 200, || from("192.0.2.2")), 0);
}

#[test]
fn routes_to_the_same_service_learn_together() {
    let context = context();
    let named = |route: &str, target: &str, scope: &str| {
        let context = Context {
            route: Some(route.into()),
            targets: Some([Arc::from(target)].into()),
            ..context.clone()
        };
        chain(json!({ "scope": scope, "max_refused": "100%" }), &context)
    };
    exchange(&named("a", "shop", "service"), 20, 503, get);
    assert!(refusal(&named("b", "shop", "service"), &mut get()).is_some());
    assert!(refusal(&named("b", "users", "service"), &mut get()).is_none());
    assert!(refusal(&named("a", "shop", "route"), &mut get()).is_none());
    exchange(&named("a", "shop", "route"), 20, 503, get);
    assert!(refusal(&named("a", "shop", "route"), &mut get()).is_some());
    assert!(refusal(&named("b", "shop", "route"), &mut get()).is_none());
}

#[test]
fn the_least_important_go_first() {
    let config = json!({ "priority": "request.headers[\"p\"]", "success": "100%" });
    let chain = chain(config, &context());
    let with = |name: &'static str| move || testing::of(Request::get("/").header("p", name));
    // Half of it goes badly, and half of it is best effort.
    exchange(&chain, 25, 503, with("best_effort"));
    exchange(&chain, 25, 200, with("critical"));
    for _ in 0..50 {
        assert!(refusal(&chain, &mut with("best_effort")()).is_some());
        assert!(refusal(&chain, &mut with("critical")()).is_none());
    }
    // What is no priority is that of the route.
    assert!(refusal(&chain, &mut with("urgent")()).is_none());
}

#[test]
fn a_dry_run_refuses_nothing() {
    let config = json!({ "dry_run": true, "max_refused": "100%" });
    assert_eq!(exchange(&chain(config, &context()), 200, 503, get), 0);
}

#[test]
fn it_is_about_what_it_says() {
    let config =
        json!({ "methods": ["POST"], "when": "request.path == \"/a\"", "max_refused": "100%" });
    let chain = chain(config, &context());
    let post = |path: &'static str| move || testing::of(Request::post(path));
    exchange(&chain, 40, 503, get);
    exchange(&chain, 40, 503, post("/b"));
    assert_eq!(exchange(&chain, 20, 503, post("/a")), 0);
    assert!(refusal(&chain, &mut post("/a")()).is_some());
    assert!(refusal(&chain, &mut get()).is_none());
}

#[test]
fn what_answers_say() {
    let shedding = shedding(json!({ "slow": "100ms", "statuses": [503] }));
    let (mut sent, none) = (get(), HeaderMap::new());
    assert_eq!(shedding.bad.judge(&sent, 503, &none), None, "no service");
    sent.service = Some(0);
    let judged = |sent: &Exchange, status| shedding.bad.judge(sent, status, &none).unwrap();
    assert!(judged(&sent, 200) && judged(&sent, 500) && judged(&sent, 429));
    assert!(!judged(&sent, 503));
    for (code, good) in [("0", true), ("5", true), ("8", false), ("14", false)] {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", code.parse().unwrap());
        assert_eq!(
            shedding.bad.judge(&sent, 200, &headers),
            Some(good),
            "{code}"
        );
    }
    sent.upstream_time = Duration::from_millis(101);
    assert!(!judged(&sent, 200));
    sent.upstream_time = Duration::ZERO;
    sent.refused = Some(Refused {
        by: "dispatch",
        code: "connect_failure",
        detail: "".into(),
    });
    assert!(!judged(&sent, 502) && judged(&sent, 413));
    sent.refused = None;
    sent.detour.fallback = Some("connect_failure");
    assert!(!judged(&sent, 200));
}

#[test]
fn callers_who_give_up_count_where_they_had_to_wait() {
    let config = json!({ "slow": "1s", "max_refused": "100%" });
    let chain = chain(config, &context());
    let leave = |after: u64, outcome| {
        let mut one = get();
        assert!(refusal(&chain, &mut one).is_none());
        one.service = Some(0);
        let ending = Ending {
            outcome,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::from_secs(after),
            overhead: None,
        };
        chain.on_end(&one, &ending);
    };
    (0..50).for_each(|_| leave(1, Outcome::ClientGone));
    (0..20).for_each(|_| leave(2, Outcome::ClientGone));
    assert!(refusal(&chain, &mut get()).is_some());
}

#[test]
fn without_a_service_there_is_nothing_to_hold_back_from() {
    let context = Context {
        targets: Some([].into()),
        ..context()
    };
    assert_eq!(exchange(&chain(json!({}), &context), 50, 503, get), 0);
}

#[test]
fn contradictions_are_faults() {
    for (config, key) in [
        (json!({ "success": "0%" }), "success"),
        (json!({ "max_refused": "0%" }), "max_refused"),
        (json!({ "slow": "0s" }), "slow"),
        (json!({ "window": "2min" }), "window"),
        (json!({ "priority": "response.status" }), "priority"),
    ] {
        let faults = Chain::build(&policies("load_shed", config), &context());
        let faults = faults.err().unwrap();
        assert_eq!(faults[0].path, ["load_shed", key]);
        assert!(faults[0].hint.is_some());
    }
}

/// A service that can answer so many requests in each tenth of a second, and what is sent to it.
struct Rush {
    shedding: Shedding,
    table: Table,
    now: u64,
}

const TENTH: u64 = 100_000_000;

impl Rush {
    fn new(config: Value) -> Self {
        fastrand::seed(7);
        let table = Table::new(1_000);
        let now = table.now();
        Self {
            shedding: shedding(config),
            table,
            now,
        }
    }

    /// Sends `offered` requests in each of so many tenths of a second; how many were refused, and how
    /// many went badly.
    fn run(&mut self, tenths: u64, offered: usize, capacity: usize) -> (usize, usize) {
        let (mut refused, mut bad) = (0, 0);
        for _ in 0..tenths {
            self.now += TENTH;
            let mut answered = 0;
            for _ in 0..offered {
                let mut one = get();
                let chance = fastrand::f64();
                if self
                    .shedding
                    .refuses(&self.table, &mut one, self.now, chance)
                {
                    refused += 1;
                    continue;
                }
                answered += 1;
                let good = answered <= capacity;
                bad += usize::from(!good);
                let noted = one.detour.learns.unwrap();
                self.shedding.learn(&self.table, noted, self.now, good);
            }
        }
        (refused, bad)
    }
}

#[test]
fn an_overrun_service_is_sent_a_little_more_than_it_can_do() {
    let mut rush = Rush::new(json!({ "success": "80%" }));
    assert_eq!(rush.run(200, 100, 100), (0, 0));
    // Ten times as much as it can do: until that has shown, then 1.25 times.
    rush.run(200, 1_000, 100);
    let (refused, bad) = rush.run(200, 1_000, 100);
    let sent = 200_000 - refused;
    assert!((22_000..28_000).contains(&sent), "{sent}");
    assert!(bad < 8_000, "{bad}");
}

#[test]
fn it_lets_go_as_the_service_recovers() {
    // As the page says: so many windows until less than a hundredth is held back.
    for (success, windows) in [("50%", 3), ("80%", 8)] {
        let mut rush = Rush::new(json!({ "success": success }));
        rush.run(100, 100, 100);
        rush.run(400, 100, 0);
        let (refused, _) = rush.run(100, 100, 0);
        assert!((9_300..9_700).contains(&refused), "{refused}");
        let mut tenths = 0;
        while rush.run(10, 100, 100).0 > 10 {
            tenths += 10;
            assert!(tenths < 10_000, "never");
        }
        let took = tenths as f64 / 100.0;
        assert!((took - f64::from(windows)).abs() < 1.0, "{success}: {took}");
    }
}

fn lately() -> impl Strategy<Value = Lately> {
    let requests = prop::array::uniform3(0.0..1e6_f64);
    (requests, 0.0..1.0_f64).prop_map(|(requests, share)| Lately {
        requests,
        good: share * requests.iter().sum::<f64>(),
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1.0..100.0_f64, 0.01..=1.0_f64).prop_map(|(multiplier, most)| Bounds {
        multiplier,
        at_least: 20.0,
        most,
    })
}

proptest! {
    #[test]
    fn what_is_held_back_is_what_is_too_much(lately in lately(), bounds in bounds()) {
        let shares = bounds.refused(&lately);
        let all: f64 = lately.requests.iter().sum();
        prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        let refused: f64 = shares.iter().zip(lately.requests).map(|(share, of)| share * of).sum();
        prop_assert!(refused <= bounds.most * all + 1e-6);
        if all >= bounds.at_least && refused < bounds.most * all - 1e-6 {
            let through = (lately.good * bounds.multiplier).min(all);
            prop_assert!((all - refused - through).abs() < 1e-6 * all, "{refused} of {all}");
        }
    }

    #[test]
    fn who_matters_more_is_held_back_only_after_the_others(lately in lately(), bounds in bounds()) {
        let shares = bounds.refused(&lately);
        for (less, more) in [(0, 1), (1, 2), (0, 2)] {
            let whole = shares[less] >= 1.0 - 1e-9 || lately.requests[less] == 0.0;
            prop_assert!(shares[more] == 0.0 || whole, "{shares:?}");
        }
        prop_assert_eq!(Priority::ALL.map(|priority| priority as usize), [0, 1, 2]);
    }

    #[test]
    fn better_answers_never_hold_more_back(lately in lately(), bounds in bounds(), more in 0.0..1.0_f64) {
        let all: f64 = lately.requests.iter().sum();
        let better = Lately { good: lately.good + more * (all - lately.good), ..lately };
        let (before, after) = (bounds.refused(&lately), bounds.refused(&better));
        for (before, after) in before.iter().zip(after) {
            prop_assert!(after <= before + 1e-9);
        }
    }
}

/// Ends gRPC calls whose status stands behind their answers.
fn calls(chain: &Chain, count: usize, status: Option<&str>, outcome: Outcome) {
    for _ in 0..count {
        let (mut one, mut depth) = (get(), Depth::default());
        one.grpc = true;
        let flow = chain.on_request(&mut depth, &mut one, &mut Body::empty());
        assert!(matches!(flow, Flow::Next));
        (one.service, one.status) = (Some(0), 200);
        chain.on_response(&mut depth, &mut one, &mut Response::new(Body::empty()));
        let trailers = status.map(|status| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_str(status).unwrap(),
            )])
        });
        one.note_trailers(trailers.as_ref());
        let ending = Ending {
            outcome,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::from_secs(5),
            overhead: None,
        };
        chain.on_end(&one, &ending);
    }
}

#[test]
fn the_status_of_a_call_is_read_behind_its_answer() {
    for (status, outcome, refused) in [
        (Some("0"), Outcome::Complete, false),
        (Some("5"), Outcome::Complete, false),
        (Some("14"), Outcome::Complete, true),
        (Some("8"), Outcome::Complete, true),
        (None, Outcome::UpstreamAborted, true),
        (None, Outcome::Timeout, true),
        (None, Outcome::ClientGone, false),
    ] {
        let chain = chain(json!({ "max_refused": "100%" }), &context());
        calls(&chain, 20, status, outcome);
        let one = refusal(&chain, &mut get());
        assert_eq!(one.is_some(), refused, "{status:?} {outcome:?}");
    }
}

#[test]
fn compositions_are_learned_from() {
    let chain = chain(json!({ "max_refused": "100%" }), &context());
    for _ in 0..20 {
        let (mut one, mut depth) = (get(), Depth::default());
        let _ = chain.on_request(&mut depth, &mut one, &mut Body::empty());
        one.legs = Some(Box::default());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        chain.on_response(&mut depth, &mut one, &mut response);
    }
    assert!(refusal(&chain, &mut get()).is_some());
}

#[test]
fn what_is_held_back_is_told() {
    let chain = chain(json!({ "max_refused": "60%" }), &context());
    assert_eq!(chain.held_back(), Some([0.0; 3]));
    exchange(&chain, 20, 503, get);
    let [best_effort, default, critical] = chain.held_back().unwrap();
    assert_eq!((best_effort, critical), (0.0, 0.0));
    assert!((0.59..=0.61).contains(&default), "{default}");
    let each = chain_of("load_shed", json!({ "per": "client.ip" }), &context());
    assert_eq!(each.held_back(), None);
}
