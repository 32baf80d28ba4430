//! Bulkheads and the breaker, with real sockets.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use http::StatusCode;
use http_body_util::BodyExt;
use lintel_kernel::{Kind, Side};

use super::{
    Gateway,
    origin::{Act, Origin, ok},
    read, spec, worker,
};
use crate::{
    guard::{AdaptiveSpec, BreakerSpec, BreakerState, BudgetSpec, GuardSpec, Guarded},
    retry::{Backoff, Retry},
    service::ServiceSpec,
};

const BREAKER: BreakerSpec = BreakerSpec {
    errors: Some(0.5),
    slow: None,
    window: Duration::from_secs(600),
    min_requests: 4,
    open_for: Duration::from_secs(600),
    probes: 1,
};

fn guarded(origin: &Origin, guard: GuardSpec) -> Gateway {
    Gateway::new(ServiceSpec {
        guard,
        ..spec(&[origin.address])
    })
}

fn failing() -> Act {
    Act::Say("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned())
}

#[test]
fn an_open_breaker_leaves_the_service_alone() {
    let origin = Origin::start(|_| failing());
    worker(async {
        let gateway = guarded(
            &origin,
            GuardSpec {
                breaker: Some(BREAKER),
                ..GuardSpec::default()
            },
        );
        for _ in 0..4 {
            assert_eq!(gateway.text("/").await.0, StatusCode::INTERNAL_SERVER_ERROR);
        }
        for _ in 0..10 {
            let failure = gateway.get("/").await.unwrap_err();
            assert_eq!((failure.code, failure.attempts), ("breaker_open", 0));
            assert_eq!(failure.facts.status(), StatusCode::SERVICE_UNAVAILABLE);
            let rest = failure.retry_after.unwrap();
            assert!(rest > Duration::from_secs(500) && rest <= BREAKER.open_for);
            assert!(failure.body.is_some());
        }
        assert_eq!(origin.requests().len(), 4);
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Open);
        let turned = gateway.metric(
            "lintel_upstream_breaker_transitions_total",
            &["to=\"open\""],
        );
        assert_eq!(turned, 1.0);
    });
}

#[test]
fn a_service_that_is_well_again_is_asked_again() {
    let well = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&well);
    let origin = Origin::start(move |_| {
        if now.load(SeqCst) {
            ok("ok")
        } else {
            failing()
        }
    });
    worker(async {
        let breaker = BreakerSpec {
            open_for: Duration::from_millis(1),
            ..BREAKER
        };
        let gateway = guarded(
            &origin,
            GuardSpec {
                breaker: Some(breaker),
                ..GuardSpec::default()
            },
        );
        for _ in 0..4 {
            gateway.text("/").await;
        }
        well.store(true, SeqCst);
        let patience = std::time::Instant::now() + Duration::from_secs(30);
        while gateway.service.guard_status().breaker != BreakerState::Closed {
            assert!(std::time::Instant::now() < patience);
            if let Ok(answer) = gateway.get("/").await {
                assert_eq!(read(answer).await.1, "ok");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(gateway.text("/").await.1, "ok");
    });
}

#[test]
fn a_probe_that_the_client_gives_up_makes_room_for_another() {
    let origin = Origin::start(|seen| {
        if seen.head.starts_with("GET /stall") {
            Act::SayAndStall(String::new())
        } else {
            failing()
        }
    });
    worker(async {
        let breaker = BreakerSpec {
            open_for: Duration::from_nanos(1),
            ..BREAKER
        };
        let gateway = guarded(
            &origin,
            GuardSpec {
                breaker: Some(breaker),
                ..GuardSpec::default()
            },
        );
        for _ in 0..4 {
            gateway.text("/").await;
        }
        {
            let mut probe = std::pin::pin!(gateway.get("/stall"));
            let asked = || {
                origin
                    .requests()
                    .iter()
                    .any(|seen| seen.head.contains("stall"))
            };
            tokio::select! {
                _never = &mut probe => panic!("it stalls"),
                () = super::until(asked) => {}
            }
            assert_eq!(gateway.get("/").await.unwrap_err().code, "breaker_open");
        }
        assert_eq!(gateway.text("/").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    });
}

#[test]
fn what_the_client_did_does_not_open_it() {
    let origin = Origin::start(|_| Act::SayAndStall(String::new()));
    worker(async {
        let gateway = guarded(
            &origin,
            GuardSpec {
                breaker: Some(BREAKER),
                ..GuardSpec::default()
            },
        );
        for _ in 0..6 {
            let mut head = super::head(http::Method::GET, "/");
            let deadline = tokio::time::Instant::now() + Duration::from_millis(5);
            let call = super::Call {
                deadline: Some(deadline),
                hurried: true,
                ..super::call(&mut head, lintel_http::Body::empty(), &gateway.timer)
            };
            let failure = gateway
                .pools
                .send(&gateway.service, call)
                .await
                .unwrap_err();
            assert_eq!(
                (failure.facts.side, failure.facts.kind),
                (Side::Upstream, Kind::Timeout)
            );
        }
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Closed);
    });
}

#[test]
fn retries_stop_when_the_breaker_opens() {
    let origin = Origin::start(|_| Act::Close);
    worker(async {
        let mut retry = Retry {
            attempts: 10,
            backoff: Backoff {
                base: Duration::ZERO,
                max: Duration::ZERO,
            },
            budget: BudgetSpec {
                share: 1.0,
                min_per_second: 100.0,
            },
            ..Retry::default()
        };
        retry.on.reset = true;
        let gateway = Gateway::new(ServiceSpec {
            retry: Some(retry),
            guard: GuardSpec {
                breaker: Some(BREAKER),
                ..GuardSpec::default()
            },
            ..spec(&[origin.address])
        });
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!((failure.code, failure.attempts), ("upstream_reset", 4));
    });
}

#[test]
fn places_are_held_to_the_last_byte() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&gate);
    let origin = Origin::start(move |seen| {
        if seen.head.starts_with("GET /wait") {
            let (open, news) = &*held;
            drop(
                news.wait_while(open.lock().unwrap(), |open| !*open)
                    .unwrap(),
            );
        }
        ok("x")
    });
    worker(async {
        let gateway = guarded(
            &origin,
            GuardSpec {
                requests: Some(1),
                ..GuardSpec::default()
            },
        );
        let refused = async {
            super::until(|| gateway.in_flight() == 1).await;
            let failure = gateway.get("/").await.unwrap_err();
            *gate.0.lock().unwrap() = true;
            gate.1.notify_all();
            failure
        };
        let (first, failure) = tokio::join!(gateway.get("/wait"), refused);
        assert_eq!(failure.code, "concurrency_full");
        assert_eq!(failure.facts.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(failure.retry_after.is_some());
        let first = first.unwrap();
        assert_eq!(gateway.get("/").await.unwrap_err().code, "concurrency_full");
        let (response, place) = (first.response, first.place);
        response.into_body().collect().await.unwrap();
        drop(place);
        assert_eq!(gateway.text("/").await.1, "x");
        assert_eq!(gateway.service.guard_status().requests, Some(0));
    });
}

#[test]
fn the_limit_that_follows_the_latency_is_a_limit() {
    let origin = Origin::start(|_| ok("x"));
    worker(async {
        let adaptive = AdaptiveSpec {
            initial: 1,
            min: 1,
            max: 1,
            ..AdaptiveSpec::default()
        };
        let gateway = guarded(
            &origin,
            GuardSpec {
                requests: Some(50),
                adaptive: Some(adaptive),
                ..GuardSpec::default()
            },
        );
        let answer = gateway.get("/").await.unwrap();
        assert_eq!(gateway.get("/").await.unwrap_err().code, "concurrency_full");
        drop(answer);
        assert_eq!(gateway.text("/").await.1, "x");
        assert_eq!(gateway.service.guard_status().limit, Some(1));
    });
}

/// A service in which nothing moves takes what it may of the gateway and no more: another service's
/// requests go on as if nothing were.
#[test]
fn a_stalled_service_leaves_its_neighbour_alone() {
    let (stalled, well) = (
        Origin::start(|_| Act::SayAndStall(String::new())),
        Origin::start(|_| ok("well")),
    );
    worker(async {
        let stuck = guarded(
            &stalled,
            GuardSpec {
                requests: Some(8),
                ..GuardSpec::default()
            },
        );
        let neighbour = crate::Service::build(
            ServiceSpec {
                name: "neighbour".into(),
                ..spec(&[well.address])
            },
            None,
        )
        .unwrap();
        let mut waiting: Vec<_> = (0..8).map(|_| Box::pin(stuck.get("/"))).collect();
        let mut all = std::pin::pin!(std::future::poll_fn(|cx| {
            for sending in &mut waiting {
                let polled = sending.as_mut().poll(cx);
                assert!(polled.is_pending());
            }
            std::task::Poll::<()>::Pending
        }));
        let others = async {
            super::until(|| stuck.in_flight() == 8).await;
            for _ in 0..50 {
                assert_eq!(stuck.get("/").await.unwrap_err().code, "concurrency_full");
                let timer = lintel_http1::Timer::new();
                let mut head = super::head(http::Method::GET, "/");
                let call = super::call(&mut head, lintel_http::Body::empty(), &timer);
                let answer = stuck.pools.send(&neighbour, call).await.unwrap();
                assert_eq!(read(answer).await.1, "well");
            }
        };
        tokio::select! {
            () = &mut all => {}
            () = others => {}
        }
        assert_eq!(well.connections(), 1);
    });
}

#[test]
fn a_routes_breaker_is_its_own() {
    let origin = Origin::start(|seen| {
        if seen.head.starts_with("GET /bad ") {
            failing()
        } else {
            ok("ok")
        }
    });
    worker(async {
        let gateway = guarded(&origin, GuardSpec::default());
        let spec = GuardSpec {
            breaker: Some(BREAKER),
            ..GuardSpec::default()
        };
        let route = Guarded::build(&"bad".into(), spec, None);
        let send = async |path: &str, guard| {
            let mut head = super::head(http::Method::GET, path);
            let call = super::call(&mut head, lintel_http::Body::empty(), &gateway.timer);
            let call = crate::Call { guard, ..call };
            let sent = gateway.pools.send(&gateway.service, call).await;
            match sent {
                Ok(answer) => Ok(read(answer).await.0.as_u16()),
                Err(failure) => Err((failure.code, failure.retry_after.is_some())),
            }
        };
        for _ in 0..4 {
            assert_eq!(send("/bad", Some(&route)).await, Ok(500));
        }
        let refused = Err(("breaker_open", true));
        assert_eq!(send("/bad", Some(&route)).await, refused);
        // Others get to the same service, and the route does with another configuration as well.
        assert_eq!(send("/good", None).await, Ok(200));
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Closed);
        let other = GuardSpec {
            requests: Some(7),
            ..spec
        };
        let next = Guarded::build(&"bad".into(), other, Some(&route));
        assert_eq!(next.status().breaker, BreakerState::Open);
        assert_eq!(send("/good", Some(&next)).await, refused);
        let turned = ["route=\"bad\"", "to=\"open\""];
        let transitions = "lintel_route_breaker_transitions_total";
        assert_eq!(gateway.metric(transitions, &turned), 1.0);
        assert_eq!(origin.requests().len(), 5);
    });
}

#[test]
fn a_probe_that_the_service_refuses_is_given_back_to_the_route() {
    let origin = Origin::start(|_| ok("ok"));
    worker(async {
        let gateway = guarded(
            &origin,
            GuardSpec {
                breaker: Some(BREAKER),
                ..GuardSpec::default()
            },
        );
        let breaker = BreakerSpec {
            open_for: Duration::from_millis(1),
            ..BREAKER
        };
        let spec = GuardSpec {
            breaker: Some(breaker),
            ..GuardSpec::default()
        };
        let route = Guarded::build(&"one".into(), spec, None);
        let now = tokio::time::Instant::now();
        let fail = |guard: &crate::guard::Guard, spec: &BreakerSpec| {
            for _ in 0..4 {
                let leave = crate::guard::Leave::Pass;
                let bad = crate::guard::Verdict::Bad;
                guard.breaker.record(spec, leave, bad, Duration::ZERO, now);
            }
        };
        fail(&gateway.service.guard, &BREAKER);
        fail(&route.guard, &breaker);
        tokio::time::sleep(Duration::from_millis(5)).await;
        for _ in 0..3 {
            let mut head = super::head(http::Method::GET, "/");
            let call = super::call(&mut head, lintel_http::Body::empty(), &gateway.timer);
            let guard = Some(&route);
            let call = crate::Call { guard, ..call };
            let sent = gateway.pools.send(&gateway.service, call).await;
            assert_eq!(
                sent.unwrap_err().cause,
                "the breaker of the service is open"
            );
        }
        // Nobody has taken the route's probe with them.
        let (leave, _) = route
            .guard
            .breaker
            .admit(&breaker, tokio::time::Instant::now());
        assert!(leave.is_ok());
    });
}
