//! HTTP/2 origins: real ones, and frames by hand.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
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
use lintel_kernel::{Kind, Side};

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
                BodyError::new(Kind::Reset, Side::Client, "gone"),
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
        let websocket = HeaderValue::from_static("websocket");
        let upgrade = Some(&websocket);
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

/// An origin that answers its first request, of all connections, with `frames` and every later one
/// with an empty 200. The stream's number is filled in where `frames` say 0xff.
fn framed(frames: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let requests = Arc::clone(&requests);
            thread::spawn(move || converse(stream.unwrap(), frames, &requests));
        }
    });
    address
}

/// Frames by hand: 9 bytes of header (RFC 9113 §4.1), then the payload. Ends with the connection.
fn converse(mut stream: TcpStream, frames: &[u8], requests: &AtomicUsize) -> Option<()> {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // HEADERS with END_STREAM and END_HEADERS; `:status: 200` is entry 8 of the static table.
    const OK: &[u8] = &[0, 0, 1, 1, 5, 0, 0, 0, 0xff, 0x88];
    stream.write_all(SETTINGS).ok()?;
    stream.read_exact(&mut [0; 24]).ok()?;
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).ok()?;
        let length = usize::from(header[1]) << 8 | usize::from(header[2]);
        stream.read_exact(&mut vec![0; length]).ok()?;
        let is_headers = header[3] == 1;
        if is_headers {
            let answer = if requests.fetch_add(1, SeqCst) == 0 {
                frames
            } else {
                OK
            };
            let number = |byte: &u8| if *byte == 0xff { header[8] } else { *byte };
            let answer: Vec<u8> = answer.iter().map(number).collect();
            stream.write_all(&answer).ok()?;
        }
    }
}

#[test]
fn what_was_certainly_not_processed_is_sent_again() {
    // GOAWAY: the last stream processed is 0.
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const REFUSED_STREAM: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 0xff, 0, 0, 0, 7];
    for frames in [GOAWAY, REFUSED_STREAM] {
        worker(async {
            let gateway = Gateway::new(http2(framed(frames)));
            let answer = gateway
                .send(Method::POST, "/", Body::empty())
                .await
                .unwrap();
            assert_eq!(
                (answer.attempts, answer.response.status()),
                (2, StatusCode::OK)
            );
            drop(answer);
            assert_eq!(gateway.in_flight(), 0);
        });
        // With a body it is for the caller to decide; the facts say that it is safe.
        worker(async {
            let gateway = Gateway::new(http2(framed(frames)));
            let failure = gateway
                .send(Method::POST, "/", chunked("body"))
                .await
                .unwrap_err();
            assert_eq!((failure.code, failure.attempts), ("upstream_reset", 1));
            assert!(failure.facts.retryable);
        });
    }
}

#[test]
fn what_may_have_been_processed_is_not_sent_again() {
    const INTERNAL_ERROR: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 0xff, 0, 0, 0, 2];
    // HEADERS without `:status`; a frame of a type and length that can't be.
    const NO_STATUS: &[u8] = &[0, 0, 0, 1, 5, 0, 0, 0, 0xff];
    const BAD_PING: &[u8] = &[0, 0, 1, 6, 0, 0, 0, 0, 0, 0];
    let cases = [
        (INTERNAL_ERROR, "upstream_reset"),
        (NO_STATUS, "upstream_bad_response"),
        (BAD_PING, "upstream_bad_response"),
    ];
    for (frames, code) in cases {
        worker(async {
            let gateway = Gateway::new(http2(framed(frames)));
            let failure = gateway.get("/").await.unwrap_err();
            assert_eq!((failure.code, failure.attempts), (code, 1), "{failure:?}");
            assert!(!failure.facts.retryable);
            assert_eq!(gateway.in_flight(), 0);
        });
    }
}
