//! Trying again: what is, what is not, and what it may cost.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use lintel_http::Body;
use tokio::time::Instant;

use super::{
    Gateway, chunked, head,
    origin::{Act, Origin, ok},
    read, spec, worker,
};
use crate::{
    guard::BudgetSpec,
    retry::{Backoff, Conditions, Methods, Retry},
    service::ServiceSpec,
};

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nlater";

/// Everything there is, without pauses and with budget enough.
fn eager() -> Retry {
    let mut on = Conditions::default();
    (on.connect_failure, on.reset, on.refused_stream, on.timeout) = (true, true, true, true);
    (500..600).for_each(|status| on.add_status(status));
    on.add_grpc(14);
    Retry {
        attempts: 3,
        on,
        backoff: Backoff {
            base: Duration::ZERO,
            max: Duration::ZERO,
        },
        budget: BudgetSpec {
            share: 0.0,
            min_per_second: 100.0,
        },
        ..Retry::default()
    }
}

fn gateway(addresses: &[SocketAddr], retry: Retry) -> Gateway {
    Gateway::new(ServiceSpec {
        retry: Some(retry),
        ..spec(addresses)
    })
}

/// Says so the first `count` times, and `ok` from then on.
fn first(count: usize, act: impl Fn() -> Act + Send + Sync + 'static) -> Origin {
    let turn = AtomicUsize::new(0);
    Origin::start(move |_| {
        if turn.fetch_add(1, SeqCst) < count {
            act()
        } else {
            ok("ok")
        }
    })
}

fn unavailable() -> Act {
    Act::Say(UNAVAILABLE.to_owned())
}

#[test]
fn an_answer_is_tried_again_over_the_same_connection() {
    let origin = first(2, unavailable);
    worker(async {
        let gateway = gateway(&[origin.address], eager());
        let answer = gateway.get("/").await.unwrap();
        assert_eq!(answer.attempts, 3);
        assert_eq!(read(answer).await, (StatusCode::OK, "ok".to_owned()));
        // What the refusals said was read, so that nothing had to be closed.
        assert_eq!(origin.connections(), 1);
        let retried = ["service=\"orders\"", "reason=\"status\""];
        assert_eq!(
            gateway.metric("lintel_upstream_retries_total", &retried),
            2.0
        );
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn the_client_gets_the_last_answer() {
    let origin = first(usize::MAX, unavailable);
    worker(async {
        let gateway = gateway(&[origin.address], eager());
        let answer = gateway.get("/").await.unwrap();
        assert_eq!(answer.attempts, 3);
        let (status, body) = read(answer).await;
        assert_eq!((status.as_u16(), body.as_str()), (503, "later"));
        assert_eq!(origin.requests().len(), 3);
    });
}

#[test]
fn a_long_refusal_is_not_read_to_its_end() {
    let long = || {
        Act::SayAndStall(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000000\r\n\r\nbut".to_owned(),
        )
    };
    let origin = first(1, long);
    worker(async {
        let gateway = gateway(&[origin.address], eager());
        assert_eq!(gateway.text("/").await.1, "ok");
        super::until(|| origin.closed() == 1).await;
        assert_eq!(origin.connections(), 2);
    });
}

#[test]
fn each_try_goes_elsewhere() {
    let origins = [
        first(9, unavailable),
        first(9, unavailable),
        first(0, unavailable),
    ];
    let addresses = origins.each_ref().map(|origin| origin.address);
    worker(async {
        let gateway = gateway(&addresses, eager());
        for _ in 0..6 {
            assert_eq!(gateway.text("/").await.0, StatusCode::OK);
        }
    });
}

#[test]
fn broken_connections_and_garbage_are_resets() {
    let acts: [fn() -> Act; 4] = [
        || Act::Close,
        || Act::Reset,
        || Act::Say("what?\r\n\r\n".to_owned()),
        || Act::SayAndClose("HTTP/1.1 200 O".to_owned()),
    ];
    for act in acts {
        let origin = first(1, act);
        worker(async {
            let gateway = gateway(&[origin.address], eager());
            assert_eq!(gateway.text("/").await.1, "ok");
            let reset = ["reason=\"reset\""];
            assert_eq!(gateway.metric("lintel_upstream_retries_total", &reset), 1.0);
        });
    }
}

#[test]
fn what_is_not_named_is_not_tried_again() {
    let origin = first(1, unavailable);
    worker(async {
        let mut retry = eager();
        retry.on = Conditions::default();
        retry.on.add_status(502);
        let gateway = gateway(&[origin.address], retry);
        assert_eq!(gateway.text("/").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(origin.requests().len(), 1);
    });
}

#[test]
fn a_post_is_repeated_only_by_consent() {
    worker(async {
        let post = || head(Method::POST, "/");
        let body = || Body::from(Bytes::from_static(b"order"));
        let origin = first(1, unavailable);
        let gateway = gateway(&[origin.address], eager());
        let answer = gateway.send_head(&mut post(), body(), None).await.unwrap();
        assert_eq!(answer.response.status(), 503);

        let origin = first(1, unavailable);
        let gateway = self::gateway(&[origin.address], eager());
        let mut keyed = post();
        keyed
            .headers
            .insert("idempotency-key", HeaderValue::from_static("7"));
        let answer = gateway.send_head(&mut keyed, body(), None).await.unwrap();
        assert_eq!(answer.response.status(), 200);
        assert!(origin.requests().iter().all(|seen| seen.body == b"order"));

        let origin = first(1, unavailable);
        let methods = Methods::Only(Box::new([Method::POST]));
        let gateway = self::gateway(&[origin.address], Retry { methods, ..eager() });
        let answer = gateway.send_head(&mut post(), body(), None).await.unwrap();
        assert_eq!(
            (answer.response.status().as_u16(), answer.attempts),
            (200, 2)
        );
    });
}

#[test]
fn a_body_is_sent_whole_each_time() {
    const CLOSING: &str =
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let origin = first(2, || Act::SayAndClose(CLOSING.to_owned()));
    worker(async {
        let gateway = gateway(&[origin.address], eager());
        let answer = gateway
            .send(Method::PUT, "/", chunked("all of it"))
            .await
            .unwrap();
        assert_eq!(answer.response.status(), 200);
        let seen = origin.requests();
        assert_eq!(seen.len(), 3);
        assert!(
            seen.iter()
                .all(|seen| seen.body == b"9\r\nall of it\r\n0\r\n\r\n")
        );
    });
}

#[test]
fn a_body_over_the_limit_is_sent_once() {
    worker(async {
        for told in [true, false] {
            let origin = first(1, unavailable);
            let gateway = gateway(&[origin.address], Retry { body: 8, ..eager() });
            let body = if told {
                Body::from(Bytes::from_static(b"nine byte"))
            } else {
                chunked("nine byte")
            };
            let answer = gateway.send(Method::PUT, "/", body).await.unwrap();
            assert_eq!(answer.response.status(), 503);
            assert_eq!(origin.requests().len(), 1);
        }
    });
}

#[test]
fn one_try_may_take_only_so_long() {
    let (slow, good) = (
        first(9, || Act::SayAndStall(String::new())),
        first(0, unavailable),
    );
    worker(async {
        let retry = Retry {
            per_try: Some(Duration::from_millis(150)),
            ..eager()
        };
        let gateway = gateway(&[slow.address, good.address], retry);
        for _ in 0..2 {
            assert_eq!(gateway.text("/").await.1, "ok");
        }
        let timeout = ["reason=\"timeout\""];
        assert_eq!(
            gateway.metric("lintel_upstream_retries_total", &timeout),
            1.0
        );
    });
}

#[test]
fn the_time_for_one_try_holds_where_there_is_but_one() {
    let slow = first(9, || Act::SayAndStall(String::new()));
    worker(async {
        let retry = Retry {
            attempts: 1,
            per_try: Some(Duration::from_millis(20)),
            ..eager()
        };
        let gateway = gateway(&[slow.address], retry);
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!((failure.code, failure.attempts), ("upstream_timeout", 1));
    });
}

#[test]
fn no_try_is_begun_that_can_not_end_in_time() {
    let origin = first(9, unavailable);
    worker(async {
        let retry = Retry {
            backoff: Backoff::default(),
            ..eager()
        };
        let gateway = gateway(&[origin.address], retry);
        let deadline = Instant::now() + Duration::from_millis(9);
        // The first try may be answered or late, by how busy this machine is.
        let _sent = gateway
            .send_head(&mut head(Method::GET, "/"), Body::empty(), Some(deadline))
            .await;
        assert_eq!(gateway.metric("lintel_upstream_retries_total", &[]), 0.0);
    });
}

#[test]
fn the_upstreams_word_on_when_to_come_back_counts() {
    let busy = |after: &'static str| {
        move || {
            Act::Say(format!(
                "HTTP/1.1 503 Busy\r\nretry-after: {after}\r\ncontent-length: 0\r\n\r\n"
            ))
        }
    };
    worker(async {
        let origin = first(1, busy("60"));
        let gateway = gateway(&[origin.address], eager());
        assert_eq!(gateway.get("/").await.unwrap().response.status(), 503);
        assert_eq!(origin.requests().len(), 1);

        let origin = first(1, busy("1"));
        let gateway = self::gateway(&[origin.address], eager());
        let begun = Instant::now();
        assert_eq!(gateway.get("/").await.unwrap().response.status(), 200);
        assert!(begun.elapsed() >= Duration::from_secs(1));
    });
}

#[test]
fn a_grpc_status_in_the_head_counts() {
    let refused = || {
        Act::Say(
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        )
    };
    let origin = first(1, refused);
    worker(async {
        let retry = Retry {
            methods: Methods::Only(Box::new([Method::POST])),
            ..eager()
        };
        let gateway = gateway(&[origin.address], retry);
        let answer = gateway
            .send(Method::POST, "/", chunked("call"))
            .await
            .unwrap();
        assert_eq!(answer.attempts, 2);
        let reason = ["reason=\"grpc_status\""];
        assert_eq!(
            gateway.metric("lintel_upstream_retries_total", &reason),
            1.0
        );
    });
}

#[test]
fn an_outage_costs_no_more_than_the_budget() {
    let origin = first(usize::MAX, unavailable);
    worker(async {
        let retry = Retry {
            budget: BudgetSpec {
                share: 0.2,
                min_per_second: 0.0,
            },
            ..eager()
        };
        let gateway = gateway(&[origin.address], retry);
        for _ in 0..100 {
            assert_eq!(gateway.text("/").await.0, StatusCode::SERVICE_UNAVAILABLE);
        }
        let tries = origin.requests().len();
        // Not a try more than the budget, whatever the clock did meanwhile, and some there were.
        assert!((101..=120).contains(&tries), "{tries}");
        let refused = gateway.metric("lintel_upstream_retry_budget_exhausted_total", &[]);
        assert!(refused >= 80.0, "{refused}");
    });
}

#[test]
fn the_budget_survives_a_reload() {
    worker(async {
        let first = Gateway::new(spec(&["127.0.0.1:1".parse().unwrap()]));
        let now = Instant::now();
        first.service.guard.budget.deposit(now);
        let changed = ServiceSpec {
            retry: Some(eager()),
            ..spec(&["127.0.0.1:2".parse().unwrap()])
        };
        let second = crate::Service::build(changed, Some(&first.service)).unwrap();
        assert_eq!(second.guard.budget.counts(now), (1, 0));
    });
}

#[test]
fn a_request_that_is_given_up_during_a_pause_leaves_nothing() {
    let origin = first(9, unavailable);
    worker(async {
        let retry = Retry {
            backoff: Backoff {
                base: Duration::from_secs(3600),
                max: Duration::from_secs(3600),
            },
            ..eager()
        };
        let gateway = gateway(&[origin.address], retry);
        {
            let mut sending = std::pin::pin!(gateway.get("/"));
            tokio::select! {
                _done = &mut sending => panic!("no pause"),
                () = super::until(|| gateway.idle() == 1) => {}
            }
        }
        assert_eq!((gateway.in_flight(), gateway.idle()), (0, 1));
    });
}
