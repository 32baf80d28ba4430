//! Limits of connections and of waiting requests.

use std::sync::{Arc, Condvar, Mutex, atomic::Ordering};

use http::StatusCode;
use lintel_kernel::Kind;

use super::{
    Gateway,
    origin::{Origin, ok},
    read, spec, worker,
};
use crate::service::{Limits, ServiceSpec};

fn limited(addresses: &[std::net::SocketAddr], connections: u32, pending: u32) -> Gateway {
    let limits = Limits {
        connections: Some(connections),
        pending,
    };
    Gateway::new(ServiceSpec {
        limits,
        ..spec(addresses)
    })
}

/// A gate that the origin waits at before it answers.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (open, news) = &*self.0;
        drop(
            news.wait_while(open.lock().unwrap(), |open| !*open)
                .unwrap(),
        );
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[test]
fn requests_wait_for_a_connection_to_come_free() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::start(move |seen| {
        held.wait();
        ok(&seen.turn.to_string())
    });
    worker(async {
        let gateway = limited(&[origin.address], 1, 10);
        let answers = async {
            let both = tokio::join!(gateway.get("/"), gateway.get("/"), gateway.get("/"));
            [both.0.unwrap(), both.1.unwrap(), both.2.unwrap()]
        };
        let opening = async {
            super::until(|| gateway.service.usage.pending.load(Ordering::Relaxed) == 2).await;
            gate.open();
        };
        let (answers, ()) = tokio::join!(answers, opening);
        for answer in answers {
            assert_eq!(read(answer).await.0, StatusCode::OK);
        }
        assert_eq!(origin.connections(), 1);
        assert_eq!(gateway.service.usage.pending.load(Ordering::Relaxed), 0);
        assert_eq!(gateway.service.usage.connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn more_than_may_wait_are_refused_at_once() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::start(move |_| {
        held.wait();
        ok("x")
    });
    worker(async {
        let gateway = limited(&[origin.address], 1, 0);
        let refused = async {
            super::until(|| gateway.in_flight() == 1).await;
            let failure = gateway.get("/").await.unwrap_err();
            gate.open();
            failure
        };
        let (first, failure) = tokio::join!(gateway.get("/"), refused);
        assert_eq!(first.unwrap().response.status(), StatusCode::OK);
        assert_eq!(failure.code, "upstream_overloaded");
        assert_eq!(failure.facts.kind, Kind::Limit);
        assert_eq!(failure.facts.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(failure.facts.retryable && failure.body.is_some());
    });
}

#[test]
fn a_request_does_not_wait_for_ever() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::start(move |_| {
        held.wait();
        ok("x")
    });
    worker(async {
        let mut spec = spec(&[origin.address]);
        spec.limits = Limits {
            connections: Some(1),
            pending: 10,
        };
        spec.timeouts.connect = std::time::Duration::from_millis(300);
        let gateway = Gateway::new(spec);
        let late = async {
            super::until(|| gateway.in_flight() == 1).await;
            let failure = gateway.get("/").await.unwrap_err();
            gate.open();
            failure
        };
        let (first, failure) = tokio::join!(gateway.get("/"), late);
        first.unwrap();
        assert_eq!(failure.code, "upstream_overloaded");
    });
}

#[test]
fn an_idle_connection_elsewhere_makes_way() {
    let (one, other) = (Origin::start(|_| ok("1")), Origin::start(|_| ok("2")));
    worker(async {
        let gateway = limited(&[one.address, other.address], 1, 10);
        for turn in 0..4 {
            let expected = if turn % 2 == 0 { "1" } else { "2" };
            assert_eq!(gateway.text("/").await.1, expected);
            assert_eq!(gateway.idle(), 1);
        }
        assert_eq!((one.connections(), other.connections()), (2, 2));
        assert_eq!(gateway.service.usage.connections.load(Ordering::Relaxed), 1);
    });
}
