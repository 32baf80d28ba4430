//! Whatever becomes of requests, nothing stays counted.

use std::{pin::pin, sync::atomic::Ordering, task::Poll, time::Duration};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use lintel_http::Body;
use proptest::prelude::*;

use super::{
    Gateway, chunked,
    origin::{Act, Origin, ok},
    spec, until, worker,
};

/// How far a request gets before its caller goes away.
#[derive(Clone, Copy, Debug)]
enum Until {
    Polls(usize),
    Head,
    FirstFrame,
    End,
}

#[derive(Clone, Debug)]
struct Fate {
    path: &'static str,
    body: Option<&'static str>,
    until: Until,
    tick: Option<u64>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let path = prop_oneof![
        Just("/ok"),
        Just("/long"),
        Just("/stall"),
        Just("/close"),
        Just("/reset"),
        Just("/bye"),
        Just("/garbage")
    ];
    let until = prop_oneof![
        (0..4_usize).prop_map(Until::Polls),
        Just(Until::Head),
        Just(Until::FirstFrame),
        Just(Until::End),
    ];
    let body = prop_oneof![
        Just(None),
        Just(Some("")),
        Just(Some("some")),
        Just(Some("other"))
    ];
    let tick = proptest::option::of(0..70_000_u64);
    (path, body, until, tick).prop_map(|(path, body, until, tick)| Fate {
        path,
        body,
        until,
        tick,
    })
}

fn origin() -> Origin {
    Origin::start(|seen| {
        let path = seen.head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/long" => Act::Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n".to_owned()),
            "/stall" => Act::SayAndStall("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_owned()),
            "/close" => Act::Close,
            "/reset" => Act::Reset,
            "/bye" => Act::SayAndClose("HTTP/1.1 200 OK\r\n\r\nbye".to_owned()),
            "/garbage" => Act::SayAndClose("garbage\r\n\r\n".to_owned()),
            _ => ok("ok"),
        }
    })
}

async fn run(gateway: &Gateway, fate: Fate) {
    if let Some(passed) = fate.tick {
        gateway.tick_after(Duration::from_millis(passed));
    }
    let method = if fate.body.is_some() {
        Method::PUT
    } else {
        Method::GET
    };
    let body = match fate.body {
        None => Body::empty(),
        Some("other") => chunked("other"),
        Some(text) => Body::from(Bytes::from_static(text.as_bytes())),
    };
    let mut sending = pin!(gateway.send(method, fate.path, body));
    let sent = match fate.until {
        Until::Polls(polls) => {
            for _ in 0..polls {
                if let Poll::Ready(sent) = futures_poll(sending.as_mut()).await {
                    drop(sent);
                    return;
                }
                tokio::task::yield_now().await;
            }
            return;
        }
        _ => sending.await,
    };
    let Ok(answer) = sent else { return };
    let mut body = answer.response.into_body();
    match fate.until {
        Until::FirstFrame => drop(body.frame().await),
        // A stalled body has one frame and no end.
        Until::End if fate.path == "/stall" => drop(body.frame().await),
        Until::End => drop(body.collect().await),
        Until::Polls(_) | Until::Head => {}
    }
}

/// Polls once.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_count_returns_to_zero(fates in proptest::collection::vec(fate(), 1..25), limit in proptest::option::of(1..4_u32)) {
        let (one, other) = (origin(), origin());
        worker(async {
            let mut spec = spec(&[one.address, other.address]);
            spec.limits.connections = limit;
            spec.timeouts.connect = Duration::from_secs(30);
            let gateway = Gateway::new(spec);
            let mut fates = fates.into_iter();
            loop {
                let (a, b) = (fates.next(), fates.next());
                let Some(a) = a else { break };
                // With one connection for two requests, the second waits until the first is over.
                let second = async {
                    if let Some(b) = b {
                        run(&gateway, b).await;
                    }
                };
                tokio::join!(run(&gateway, a), second);
            }
            let open = |gateway: &Gateway| gateway.service.usage.connections.load(Ordering::Relaxed);
            assert_eq!(gateway.in_flight(), 0);
            assert_eq!(open(&gateway), gateway.idle());
            assert_eq!(gateway.metric("lintel_upstream_requests_active", &[]), 0.0);
            assert_eq!(gateway.service.usage.pending.load(Ordering::Relaxed), 0);
            gateway.tick_after(Duration::from_secs(3600));
            assert_eq!((open(&gateway), gateway.idle()), (0, 0));
            assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 0.0);
            until(|| one.closed() + other.closed() == one.connections() + other.connections()).await;
        });
    }
}
