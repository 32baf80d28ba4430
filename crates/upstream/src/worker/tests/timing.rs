//! Time limits. Every limit here is one that must pass; nothing depends on how fast the rest is.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use lintel_http::Body;
use lintel_kernel::{Kind, Side};
use tokio::time::Instant;

use super::{
    Gateway, fed, head,
    origin::{Act, Origin, ok},
    read, spec, until, worker,
};
use crate::service::{ServiceSpec, Timeouts};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

fn gateway(address: SocketAddr, timeouts: Timeouts) -> Gateway {
    Gateway::new(ServiceSpec {
        timeouts,
        ..spec(&[address])
    })
}

#[test]
fn an_origin_that_does_not_answer_is_given_up() {
    for partial in ["", "HTTP/1.1 200 OK\r\ncontent-"] {
        let origin = Origin::start(move |_| Act::SayAndStall(partial.to_owned()));
        worker(async {
            let gateway = gateway(
                origin.address,
                Timeouts {
                    first_byte: SHORT,
                    ..Timeouts::default()
                },
            );
            let failure = gateway.get("/").await.unwrap_err();
            assert_eq!((failure.code, failure.attempts), ("upstream_timeout", 1));
            assert_eq!(failure.facts.status(), StatusCode::GATEWAY_TIMEOUT);
            assert!(!failure.facts.retryable && failure.body.is_none());
            until(|| origin.closed() == 1).await;
            assert_eq!((gateway.in_flight(), gateway.idle()), (0, 0));
            assert_eq!(
                gateway.metric("lintel_upstream_attempts_total", &["outcome=\"timeout\""]),
                1.0
            );
        });
    }
}

#[test]
fn the_whole_request_has_a_limit_and_the_caller_a_deadline() {
    let origin = Origin::start(|_| Act::SayAndStall(String::new()));
    worker(async {
        let gateway = gateway(
            origin.address,
            Timeouts {
                request: Some(SHORT),
                ..Timeouts::default()
            },
        );
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!(failure.code, "upstream_timeout");
        assert!(failure.cause.contains("deadline"), "{}", failure.cause);
    });
    worker(async {
        let gateway = gateway(
            origin.address,
            Timeouts {
                request: Some(LONG),
                ..Timeouts::default()
            },
        );
        let deadline = Instant::now() + SHORT;
        let failure = gateway
            .send_head(&mut head(Method::GET, "/"), Body::empty(), Some(deadline))
            .await
            .unwrap_err();
        assert_eq!(failure.code, "upstream_timeout");
    });
}

#[test]
fn a_slow_client_does_not_use_up_the_time_of_the_origin() {
    let origin = Origin::start(|seen| ok(&String::from_utf8_lossy(&seen.body)));
    worker(async {
        let first_byte = Duration::from_secs(1);
        let gateway = gateway(
            origin.address,
            Timeouts {
                first_byte,
                ..Timeouts::default()
            },
        );
        let (frames, body) = fed();
        let sending = gateway.send(Method::POST, "/", body);
        let feeding = async {
            for _ in 0..3 {
                tokio::time::sleep(first_byte * 3 / 4).await;
                frames
                    .send(Ok(Frame::data(Bytes::from_static(b"x"))))
                    .unwrap();
            }
            drop(frames);
        };
        let (answer, ()) = tokio::join!(sending, feeding);
        assert_eq!(
            read(answer.unwrap()).await.1,
            "1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n0\r\n\r\n"
        );
    });
}

#[test]
fn a_stalled_body_ends_in_an_error_of_the_upstream() {
    let origin = Origin::start(|_| {
        Act::SayAndStall("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned())
    });
    worker(async {
        let gateway = gateway(
            origin.address,
            Timeouts {
                idle: SHORT,
                ..Timeouts::default()
            },
        );
        let mut body = gateway.get("/").await.unwrap().response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "half");
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(
            (error.facts.kind, error.facts.side),
            (Kind::Timeout, Side::Upstream)
        );
        drop(body);
        until(|| origin.closed() == 1).await;
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn an_address_that_does_not_answer_is_given_up() {
    let (_full, address) = black_hole();
    let good = Origin::start(|_| ok("good"));
    worker(async {
        let timeouts = Timeouts {
            connect: SHORT,
            ..Timeouts::default()
        };
        let alone = gateway(address, timeouts);
        let failure = alone.get("/").await.unwrap_err();
        assert_eq!(
            (failure.code, failure.attempts),
            ("upstream_connect_timeout", 1)
        );
        assert_eq!(failure.facts.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(failure.facts.retryable && failure.body.is_some());
        assert_eq!(
            alone.metric(
                "lintel_upstream_connect_failures_total",
                &["reason=\"timeout\""]
            ),
            1.0
        );

        let both = Gateway::new(ServiceSpec {
            timeouts,
            ..spec(&[address, good.address])
        });
        let answer = both.get("/").await.unwrap();
        assert_eq!((answer.attempts, answer.endpoint), (2, Some(good.address)));
    });
}

/// A listener whose queue of connections is full, so that the next one gets no answer at all.
fn black_hole() -> (impl Sized, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let listener: TcpListener = socket.into();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        held.push(stream);
    }
    ((listener, held), address)
}
