#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use http::Request;
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{Ending, Exchange, Flow, Outcome, Rejection};
use lintel_state::in_flight::InFlight;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testing::{chain_of, from, policies};
use crate::{Chain, Context, Depth, Wait, testing};

fn context() -> Context {
    Context {
        in_flight: Some(Arc::new(InFlight::new(100))),
        route: Some("orders".into()),
        ..Context::default()
    }
}

fn chain(limits: Value, context: &Context) -> Chain {
    chain_of("concurrency", limits, context)
}

/// A request in a chain; it ends when this is dropped.
struct Begun<'a> {
    chain: &'a Chain,
    exchange: Exchange,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let ending = Ending {
            outcome: Outcome::ClientGone,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::ZERO,
            overhead: None,
        };
        self.chain.on_end(&self.exchange, &ending);
    }
}

fn begin<'a>(chain: &'a Chain, exchange: Exchange) -> (Begun<'a>, Result<(), Rejection>) {
    let mut begun = Begun { chain, exchange };
    let flow = chain.on_request(
        &mut Depth::default(),
        &mut begun.exchange,
        &mut Body::empty(),
    );
    let result = match flow {
        Flow::Refuse(rejection) => Err(rejection),
        _ => Ok(()),
    };
    (begun, result)
}

/// The same for one that may have to wait, for so long at most.
async fn begin_later<'a>(
    chain: &'a Chain,
    exchange: Exchange,
    deadline: Duration,
) -> (Begun<'a>, Result<(), Rejection>) {
    let mut begun = Begun { chain, exchange };
    let (mut depth, mut body) = (Depth::default(), Body::empty());
    let mut flow = chain.on_request(&mut depth, &mut begun.exchange, &mut body);
    if matches!(flow, Flow::Wait) {
        let (timer, pools) = (Timer::new(), testing::pools());
        let deadline = Instant::now() + deadline;
        let wait = Wait {
            timer: &timer,
            deadline,
            pools: &pools,
        };
        let resumed = chain.resume(&mut depth, &mut begun.exchange, &mut body, &wait);
        flow = resumed.await;
    }
    let result = match flow {
        Flow::Refuse(rejection) => Err(rejection),
        _ => Ok(()),
    };
    (begun, result)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_caller_has_so_many_at_once() {
    let chain = chain(json!([{ "max": 2, "per": "client.ip" }]), &context());
    let (first, one) = begin(&chain, from("192.0.2.1"));
    let (_second, two) = begin(&chain, from("192.0.2.1"));
    assert!(one.is_ok() && two.is_ok());
    let (third, refused) = begin(&chain, from("192.0.2.1"));
    let refused = refused.unwrap_err();
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code, "concurrency_limited");
    assert_eq!(refused.violated.as_deref(), Some("2 at once per client.ip"));
    assert!(refused.retry_after.is_some());
    assert!(begin(&chain, from("192.0.2.2")).1.is_ok());
    // A refused one gives back nothing that it never had.
    drop(third);
    assert!(begin(&chain, from("192.0.2.1")).1.is_err());
    drop(first);
    assert!(begin(&chain, from("192.0.2.1")).1.is_ok());
}

#[test]
fn what_all_share_is_nobodys_fault() {
    let chain = chain(json!([{ "max": 1, "name": "all" }]), &context());
    let (_first, one) = begin(&chain, from("192.0.2.1"));
    assert!(one.is_ok());
    let refused = begin(&chain, from("192.0.2.2")).1.unwrap_err();
    assert_eq!(refused.status, 503);
}

#[test]
fn all_limits_must_have_a_place_and_a_refusal_keeps_none() {
    let limits = json!([
        { "name": "wide", "max": 2 },
        { "name": "posts", "max": 1, "methods": ["POST"] },
    ]);
    let chain = chain(limits, &context());
    let post = || testing::of(Request::post("/"));
    let (_post, one) = begin(&chain, post());
    assert!(one.is_ok());
    let refused = begin(&chain, post()).1.unwrap_err();
    assert_eq!(refused.violated.as_deref(), Some("posts"));
    let (_get, two) = begin(&chain, from("192.0.2.1"));
    assert!(two.is_ok(), "the refused one holds no place of `wide`");
    assert!(begin(&chain, from("192.0.2.1")).1.is_err());
}

#[test]
fn a_dry_run_refuses_nobody() {
    let limits = json!([{ "max": 1, "dry_run": true }]);
    let chain = chain(limits, &context());
    let begun: Vec<_> = (0..5).map(|_| begin(&chain, from("192.0.2.1"))).collect();
    assert!(begun.iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn counts_survive_a_reload_and_another_number() {
    let context = context();
    let before = chain(json!([{ "name": "all", "max": 1 }]), &context);
    let (first, one) = begin(&before, from("192.0.2.1"));
    assert!(one.is_ok());
    let after = chain(json!([{ "name": "all", "max": 2 }]), &context);
    let (_second, two) = begin(&after, from("192.0.2.1"));
    assert!(two.is_ok());
    assert!(begin(&after, from("192.0.2.1")).1.is_err());
    drop(first);
    assert!(begin(&after, from("192.0.2.1")).1.is_ok());
}

#[tokio::test(start_paused = true)]
async fn others_wait_in_line_and_no_longer_than_said() {
    let queue = json!({ "size": 2, "timeout": "5s" });
    let limits = json!([{ "max": 1, "queue": queue }]);
    let chain = &chain(limits, &context());
    let (first, one) = begin(chain, from("192.0.2.1"));
    assert!(one.is_ok());
    let order = Rc::new(RefCell::new(Vec::new()));
    let waits = |number: u32| {
        let order = Rc::clone(&order);
        async move {
            let (begun, result) = begin_later(chain, from("192.0.2.1"), LONG).await;
            order
                .borrow_mut()
                .push((number, result.map_err(|no| no.code)));
            drop(begun);
        }
    };
    let ends = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (_more, full) = begin_later(chain, from("192.0.2.1"), LONG).await;
        order.borrow_mut().push((3, full.map_err(|no| no.code)));
        drop(first);
    };
    tokio::join!(waits(1), waits(2), ends);
    let full = Err("concurrency_limited");
    assert_eq!(*order.borrow(), [(3, full), (1, Ok(())), (2, Ok(()))]);

    let (_holds, one) = begin(chain, from("192.0.2.1"));
    assert!(one.is_ok());
    let before = Instant::now();
    let (_waited, late) = begin_later(chain, from("192.0.2.1"), LONG).await;
    assert_eq!(late.unwrap_err().code, "concurrency_queue_timeout");
    assert_eq!(before.elapsed().as_secs(), 5);
    // The time of the route is the end of all waiting.
    let before = Instant::now();
    let short = Duration::from_secs(2);
    let (_waited, late) = begin_later(chain, from("192.0.2.1"), short).await;
    assert!(late.is_err());
    assert_eq!(before.elapsed().as_secs(), 2);
}

/// What a client that goes away while it waits leaves behind: nothing.
#[tokio::test(start_paused = true)]
async fn who_goes_away_leaves_the_line() {
    let queue = json!({ "size": 1, "timeout": "50s" });
    let limits = json!([
        { "name": "own", "max": 9, "per": "client.ip" },
        { "name": "all", "max": 1, "queue": queue },
    ]);
    let chain = &chain(limits, &context());
    let (first, one) = begin(chain, from("192.0.2.1"));
    assert!(one.is_ok());
    for _ in 0..20 {
        let gone = begin_later(chain, from("192.0.2.2"), LONG);
        let gone = tokio::time::timeout(Duration::from_secs(1), gone).await;
        assert!(gone.is_err(), "it was in the line");
    }
    drop(first);
    let (_next, at_once) = begin(chain, from("192.0.2.2"));
    assert!(at_once.is_ok());
}

#[test]
fn mistakes_are_named() {
    let faults = |limits: Value| -> Vec<String> {
        let faults = Chain::build(&policies("concurrency", limits), &context())
            .err()
            .unwrap();
        let told = faults.iter();
        told.map(|fault| format!("{}: {}", fault.path.join("."), fault.message))
            .collect()
    };
    let queue = json!({ "size": 1, "timeout": "0" });
    assert_eq!(
        faults(json!([
            { "max": 1, "per": "service.name", "methods": ["get"] },
            { "max": 1, "queue": queue },
            { "max": 1, "queue": { "size": 1 }, "dry_run": true },
            { "max": 1, "name": "\"" },
            { "max": 1, "name": "two" },
            { "max": 2, "name": "two" },
        ])),
        [
            "concurrency.0.per: the service is not chosen yet when a request is counted",
            "concurrency.0.methods: `get` is not a method",
            "concurrency.1.queue.timeout: nobody can wait for no time at all",
            "concurrency.2.queue: a dry run lets nobody wait",
            "concurrency.3.name: a name stands in header fields: printable ASCII without quotes",
            "concurrency.5: two limits are called `two`",
        ]
    );
}
