#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{rc::Rc, sync::Arc, time::Duration};

use http::Request;
use lintel_kernel::{Consumer, Ending, Exchange, Identity, Outcome};
use lintel_state::ledger::{Book, Keep};
use serde_json::{Value, json};

use super::Usage;
use crate::{Chain, Context, RoutePolicies, testing};

fn chain(metering: Value, book: &Arc<Book<3>>) -> Chain {
    let policies: RoutePolicies = serde_json::from_value(json!({ "metering": metering })).unwrap();
    let context = Context {
        usage: Some(Arc::clone(book)),
        ..Context::default()
    };
    Chain::build(&policies, &context).unwrap()
}

fn book(room: usize) -> Arc<Book<3>> {
    Arc::new(Book::new(room, None, Keep::Accounts))
}

fn by(name: &str) -> Exchange {
    let mut exchange = testing::of(Request::get("/"));
    let consumer = Consumer {
        name: name.into(),
        plan: None,
        groups: Vec::new(),
    };
    exchange.identity = Some(Rc::new(Identity {
        consumer: Some(Arc::new(consumer)),
        ..Identity::default()
    }));
    exchange
}

fn end(chain: &Chain, mut exchange: Exchange, status: u16, bytes_out: u64) {
    exchange.status = status;
    let ending = Ending {
        outcome: Outcome::Complete,
        bytes_in: 3,
        bytes_out,
        duration: Duration::ZERO,
        overhead: None,
    };
    chain.on_end(&exchange, &ending);
}

/// Caller, class, requests, bytes received and sent.
fn usage(book: &Book<3>) -> Vec<(String, String, u64, u64, u64)> {
    let usage = Usage::of(book, 0, u64::MAX);
    let rows = usage.rows().iter().cloned();
    rows.map(|row| (row.caller, row.class, row.requests, row.received, row.sent))
        .collect()
}

#[test]
fn everybody_is_counted_by_class() {
    let book = book(100);
    let chain = chain(json!({}), &book);
    end(&chain, by("acme"), 200, 10);
    end(&chain, by("acme"), 204, 0);
    end(&chain, by("acme"), 429, 100);
    end(&chain, by("zeta"), 200, 1);
    end(&chain, testing::of(Request::get("/")), 401, 5);
    let row = |caller: &str, class: &str, requests, received, sent| {
        (
            caller.to_owned(),
            class.to_owned(),
            requests,
            received,
            sent,
        )
    };
    assert_eq!(
        usage(&book),
        [
            row("", "4xx", 1, 3, 5),
            row("acme", "2xx", 2, 6, 10),
            row("acme", "4xx", 1, 3, 100),
            row("zeta", "2xx", 1, 3, 1),
        ]
    );
    assert!(Usage::of(&book, 0, 1_000_000).rows().is_empty());
}

#[test]
fn times_are_read() {
    assert_eq!(super::time("1970-01-02"), Some(86_400));
    assert_eq!(super::time("1970-01-02T00:00:01Z"), Some(86_401));
    for nonsense in ["", "yesterday", "1969-01-01", "86400"] {
        assert_eq!(super::time(nonsense), None, "{nonsense}");
    }
}

#[test]
fn callers_may_be_called_anything() {
    let book = book(100);
    let chain = chain(json!({ "per": "request.headers[\"x-tenant\"]" }), &book);
    let as_tenant = |name: &str| testing::of(Request::get("/").header("x-tenant", name));
    for name in ["=1+1", "a,b", "a \"b\"", "plain"] {
        end(&chain, as_tenant(name), 200, 0);
    }
    end(&chain, as_tenant(&"x".repeat(1_000)), 200, 0);
    let csv = Usage::of(&book, 0, u64::MAX).csv();
    let callers: Vec<&str> = csv
        .lines()
        .skip(1)
        .map(|line| {
            line.split_once(",,2xx")
                .unwrap()
                .0
                .split_once(',')
                .unwrap()
                .1
        })
        .collect();
    assert_eq!(
        callers,
        [
            "(too long)",
            "\"'=1+1\"",
            "\"a \"\"b\"\"\"",
            "\"a,b\"",
            "plain"
        ]
    );
}

#[test]
fn a_flood_of_names_takes_no_more_than_its_room() {
    let book = book(10);
    let chain = chain(json!({ "per": "request.headers[\"x-tenant\"]" }), &book);
    for name in 0..1_000 {
        let tenant = name.to_string();
        let exchange = testing::of(Request::get("/").header("x-tenant", tenant));
        end(&chain, exchange, 200, 1);
    }
    let usage = usage(&book);
    assert_eq!(usage.len(), 11);
    let requests: u64 = usage.iter().map(|row| row.2).sum();
    assert_eq!(requests, 1_000, "nothing is lost");
}
