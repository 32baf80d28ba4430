//! HTTP/2 origins: real ones, and frames by hand.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use lintel_http::{Body, BodyError};
use lintel_kernel::{Facts, Kind, Side};

use super::{
    Gateway, call, chunked, fed, head,
    origin::{Act, Origin},
    read,
    server::{Server, Setup},
    spec, until, worker,
};
use crate::service::{KeepAlive, Limits, Protocol, ServiceSpec, Timeouts};

fn http2(address: SocketAddr) -> ServiceSpec {
    ServiceSpec {
        protocol: Protocol::Http2,
        ..spec(&[address])
    }
}

#[test]
fn many_requests_share_one_connection() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        let requests = async {
            tokio::join!(
                gateway.get("/wait"),
                gateway.get("/wait"),
                gateway.get("/wait"),
                gateway.get("/wait")
            )
        };
        let opening = async {
            until(|| server.waiting() == 4).await;
            assert_eq!(gateway.in_flight(), 4);
            server.let_go(4);
        };
        let ((a, b, c, d), ()) = tokio::join!(requests, opening);
        for answer in [a, b, c, d] {
            let answer = answer.unwrap();
            assert_eq!(answer.response.version(), Version::HTTP_2);
            assert_eq!(read(answer).await.1, "waited");
        }
        assert_eq!(server.connections(), 1);
        assert_eq!(gateway.in_flight(), 0);
        assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 1.0);
        assert_eq!(gateway.metric("lintel_upstream_requests_active", &[]), 0.0);
        gateway.tick_after(Duration::from_secs(61));
        until(|| server.closed() == 1).await;
        assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 0.0);
    });
}

#[test]
fn the_streams_an_origin_allows_are_respected() {
    let server = Server::start(Setup {
        max_streams: Some(1),
        ..Setup::default()
    });
    worker(async {
        let keep_alive = KeepAlive {
            max_h2_per_worker: 2,
            ..KeepAlive::default()
        };
        let gateway = Gateway::new(ServiceSpec {
            keep_alive,
            ..http2(server.address)
        });
        let requests = async {
            tokio::join!(
                gateway.get("/wait"),
                gateway.get("/wait"),
                gateway.get("/wait"),
                gateway.get("/wait")
            )
        };
        let opening = async {
            until(|| server.waiting() == 2 && gateway.in_flight() == 4).await;
            assert_eq!(gateway.service.usage.pending.load(SeqCst), 2);
            server.let_go(4);
        };
        let ((a, b, c, d), ()) = tokio::join!(requests, opening);
        for answer in [a, b, c, d] {
            assert_eq!(read(answer.unwrap()).await.1, "waited");
        }
        assert_eq!(server.connections(), 2);
        assert_eq!(
            (
                gateway.in_flight(),
                gateway.service.usage.pending.load(SeqCst)
            ),
            (0, 0)
        );
    });
}

#[test]
fn requests_beyond_streams_and_queue_are_refused() {
    let server = Server::start(Setup {
        max_streams: Some(1),
        ..Setup::default()
    });
    worker(async {
        let keep_alive = KeepAlive {
            max_h2_per_worker: 1,
            ..KeepAlive::default()
        };
        let limits = Limits {
            pending: 0,
            ..Limits::default()
        };
        let gateway = Gateway::new(ServiceSpec {
            keep_alive,
            limits,
            ..http2(server.address)
        });
        let refused = async {
            until(|| server.waiting() == 1).await;
            let failure = gateway.get("/").await.unwrap_err();
            server.let_go(1);
            failure
        };
        let (first, failure) = tokio::join!(gateway.get("/wait"), refused);
        assert_eq!(first.unwrap().response.status(), StatusCode::OK);
        assert_eq!(
            (failure.code, failure.facts.status()),
            ("upstream_overloaded", StatusCode::SERVICE_UNAVAILABLE)
        );
    });
}

#[test]
fn a_connection_that_goes_away_is_replaced() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        let waiting = gateway.get("/wait");
        let going = async {
            until(|| server.waiting() == 1).await;
            server.go_away();
            // Housekeeping notices that no further request is welcome.
            until(|| {
                gateway.tick_after(Duration::ZERO);
                connections(&gateway) == 0
            })
            .await;
            server.stay();
            for _ in 0..3 {
                let answer = gateway
                    .send(Method::POST, "/", Body::empty())
                    .await
                    .unwrap();
                assert_eq!(answer.attempts, 1);
                assert_eq!(read(answer).await.1, "ok");
            }
            assert_eq!(server.connections(), 2);
            server.let_go(1);
        };
        // What was on its way ends on the old connection.
        let (answer, ()) = tokio::join!(waiting, going);
        assert_eq!(read(answer.unwrap()).await.1, "waited");
        until(|| server.closed() == 1).await;
        assert_eq!(gateway.in_flight(), 0);
    });
}

/// HTTP/2 connections that take requests.
fn connections(gateway: &Gateway) -> usize {
    let set = gateway.service.endpoints();
    let metrics = &gateway.pools.service(&gateway.service).metrics;
    gateway
        .pools
        .pool(&gateway.service, &set.endpoints()[0], metrics)
        .streams
        .live()
}

#[test]
fn heads_are_translated() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        let mut parts = head(Method::POST, "/path?query=1");
        for (name, value) in [
            ("connection", "x-hop"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("x-kept", "yes"),
        ] {
            parts.headers.insert(name, HeaderValue::from_static(value));
        }
        gateway
            .send_head(&mut parts, Body::from(Bytes::from_static(b"four")), None)
            .await
            .unwrap();
        let mut grpc = head(Method::POST, "/pkg.Service/Method");
        grpc.headers.insert(
            "content-type",
            HeaderValue::from_static("application/grpc+proto"),
        );
        gateway
            .send_head(&mut grpc, chunked("message"), None)
            .await
            .unwrap();
        let mut options = head(Method::OPTIONS, "*");
        gateway
            .send_head(&mut options, Body::empty(), None)
            .await
            .unwrap();
    });
    let heads = server.heads();
    let first = &heads[0];
    assert_eq!(
        first.uri().to_string(),
        "http://orders.example/path?query=1"
    );
    let names: Vec<_> = first
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    assert_eq!(names, ["x-kept", "content-length"]);
    assert_eq!(first.headers()["content-length"], "4");
    assert_eq!(heads[1].headers()["te"], "trailers");
    assert!(!heads[1].headers().contains_key("content-length"));
    assert_eq!(heads[2].uri().path(), "*");
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        let (frames, body) = fed();
        let mut answer = gateway.send(Method::POST, "/echo", body).await.unwrap();
        for text in ["one", "two"] {
            frames
                .send(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
                .unwrap();
            let echoed = answer.response.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(echoed.into_data().unwrap(), text);
        }
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("6"));
        frames.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
        drop(frames);
        let end = answer.response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(end.into_trailers().unwrap(), trailers);
        assert!(answer.response.body_mut().frame().await.is_none());
        drop(answer);

        let collected = gateway
            .get("/trailers")
            .await
            .unwrap()
            .response
            .into_body()
            .collect()
            .await
            .unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(collected.to_bytes(), "message");

        let large = Bytes::from(vec![7; 3 * 1024 * 1024]);
        let answer = gateway
            .send(Method::PUT, "/echo", Body::from(large.clone()))
            .await
            .unwrap();
        assert_eq!(
            answer
                .response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes(),
            large
        );
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn dropping_an_answer_resets_its_stream_alone() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        drop(gateway.get("/stall").await.unwrap());
        assert!(
            tokio::time::timeout(Duration::from_millis(50), gateway.get("/wait"))
                .await
                .is_err()
        );
        assert_eq!(gateway.in_flight(), 0);
        assert_eq!(gateway.text("/").await.1, "ok");
        assert_eq!(server.connections(), 1);
        assert_eq!(
            gateway.metric("lintel_upstream_attempts_total", &["outcome=\"cancelled\""]),
            1.0
        );
    });
}

#[test]
fn stalls_and_client_faults_are_told_apart() {
    let server = Server::start(Setup::default());
    let short = Duration::from_millis(100);
    worker(async {
        let timeouts = Timeouts {
            first_byte: short,
            idle: short,
            ..Timeouts::default()
        };
        let gateway = Gateway::new(ServiceSpec {
            timeouts,
            ..http2(server.address)
        });
        let failure = gateway.get("/wait").await.unwrap_err();
        assert_eq!(
            (failure.code, failure.facts.status()),
            ("upstream_timeout", StatusCode::GATEWAY_TIMEOUT)
        );
        let mut body = gateway.get("/stall").await.unwrap().response.into_body();
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "half"
        );
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(
            (error.facts.kind, error.facts.side),
            (Kind::Timeout, Side::Upstream)
        );
    });
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        for (error, code) in [
            (BodyError::too_large(), "request_too_large"),
            (BodyError::timeout(Side::Client), "request_timeout"),
            (
                BodyError {
                    facts: Facts::new(Kind::Reset, Side::Client),
                    cause: "gone".to_owned(),
                },
                "request_body_failed",
            ),
        ] {
            let (frames, body) = fed();
            frames.send(Err(error)).unwrap();
            let failure = gateway.send(Method::POST, "/wait", body).await.unwrap_err();
            assert_eq!((failure.code, failure.facts.side), (code, Side::Client));
        }
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn an_upgrade_is_refused() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = Gateway::new(http2(server.address));
        let mut head = head(Method::GET, "/");
        let call = call(&mut head, Body::empty(), &gateway.timer);
        let upgrade = Some(HeaderValue::from_static("websocket"));
        let failure = gateway
            .pools
            .send(&gateway.service, super::Call { upgrade, ..call })
            .await
            .unwrap_err();
        assert_eq!(
            (failure.code, failure.facts.status()),
            ("upgrade_unsupported", StatusCode::BAD_GATEWAY)
        );
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn an_http1_origin_is_no_http2_origin() {
    let origin = Origin::start(|_| {
        Act::SayAndClose("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned())
    });
    worker(async {
        let gateway = Gateway::new(http2(origin.address));
        let failure = gateway
            .send(Method::POST, "/", Body::from(Bytes::from_static(b"kept")))
            .await
            .unwrap_err();
        assert_eq!(
            (failure.code, failure.attempts),
            ("upstream_connect_failed", 1)
        );
        assert!(failure.cause.contains("HTTP/2"), "{}", failure.cause);
        assert!(failure.body.is_some());
        assert_eq!(gateway.service.usage.connections.load(SeqCst), 0);
    });
}

/// An origin that writes SETTINGS, waits for a request, and writes `frames`; then, on its third
/// connection and later, nothing.
fn framed(frames: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, SeqCst);
            let mut stream = stream.unwrap();
            stream.write_all(SETTINGS).unwrap();
            let mut received = Vec::new();
            let mut chunk = [0; 4096];
            // HEADERS with END_STREAM on stream 1.
            while !received
                .windows(6)
                .any(|part| part[0] == 1 && part[1] & 1 == 1 && part[2..] == [0, 0, 0, 1])
            {
                let Ok(count @ 1..) = stream.read(&mut chunk) else {
                    return;
                };
                received.extend_from_slice(&chunk[..count]);
            }
            stream.write_all(frames).unwrap();
            while matches!(stream.read(&mut chunk), Ok(1..)) {}
        }
    });
    (address, connections)
}

#[test]
fn what_was_certainly_not_processed_is_sent_again_once() {
    // GOAWAY, last stream 0, NO_ERROR; RST_STREAM on stream 1, REFUSED_STREAM.
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const REFUSED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    // INTERNAL_ERROR: it may have been processed.
    const INTERNAL: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];
    for (name, frames, attempts, retryable) in [
        ("GOAWAY", GOAWAY, 2, true),
        ("REFUSED_STREAM", REFUSED, 2, true),
        ("INTERNAL_ERROR", INTERNAL, 1, false),
    ] {
        let (address, _) = framed(frames);
        worker(async {
            let timeouts = Timeouts {
                first_byte: Duration::from_secs(2),
                ..Timeouts::default()
            };
            let gateway = Gateway::new(ServiceSpec {
                timeouts,
                ..http2(address)
            });
            let failure = gateway
                .send(Method::POST, "/", Body::empty())
                .await
                .unwrap_err();
            assert_eq!(failure.attempts, attempts, "{name}: {failure:?}");
            if failure.code == "upstream_reset" {
                assert_eq!(failure.facts.retryable, retryable, "{name}");
            }
            assert_eq!(gateway.in_flight(), 0);
        });
    }
}
