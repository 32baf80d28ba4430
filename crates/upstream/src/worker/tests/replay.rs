//! Which requests may be sent again, and which may not.

use http::{Method, StatusCode};
use lintel_http::Body;
use lintel_kernel::Kind;

use super::{
    Gateway, chunked,
    origin::{Act, Origin, ok},
    read, spec, worker,
};

/// The origin answers the first request of its first connection and then does `act`; all later
/// connections are good.
fn dying(act: Act) -> Origin {
    Origin::start(move |seen| match (seen.connection, seen.turn) {
        (0, 1) => act.clone(),
        _ => ok("good"),
    })
}

/// What comes of a second request on a connection that dies by `act`: tries and body, or tries and
/// code.
async fn second(act: Act, method: Method, body: Body) -> (u8, Result<String, &'static str>) {
    let origin = dying(act);
    let gateway = Gateway::to(origin.address);
    gateway.text("/").await;
    let sent = gateway.send(method, "/", body).await;
    let outcome = match sent {
        Ok(answer) => (answer.attempts, Ok(read(answer).await.1)),
        Err(failure) => {
            assert_eq!(failure.facts.status(), StatusCode::BAD_GATEWAY);
            (failure.attempts, Err(failure.code))
        }
    };
    assert_eq!(gateway.in_flight(), 0);
    outcome
}

#[test]
fn a_dead_connection_is_replaced_where_that_is_safe() {
    let replayed = || (2, Ok("good".to_owned()));
    let lost = || (1, Err("upstream_reset"));
    let head = || Act::SayAndClose("HTTP/1.1 200 OK\r\ncontent-le".to_owned());
    let byte = || Act::SayAndClose("H".to_owned());
    let empty = Body::empty;
    worker(async {
        let cases = [
            // Dies before the first byte: idempotent methods (RFC 9110 §9.2.2) are sent again.
            (
                "GET, closed",
                second(Act::Close, Method::GET, empty()).await,
                replayed(),
            ),
            (
                "GET, reset",
                second(Act::Reset, Method::GET, empty()).await,
                replayed(),
            ),
            (
                "HEAD",
                second(Act::Close, Method::HEAD, empty()).await,
                replayed_head(),
            ),
            (
                "DELETE",
                second(Act::Close, Method::DELETE, empty()).await,
                replayed(),
            ),
            (
                "OPTIONS",
                second(Act::Close, Method::OPTIONS, empty()).await,
                replayed(),
            ),
            (
                "PUT, empty",
                second(Act::Close, Method::PUT, empty()).await,
                replayed(),
            ),
            // The origin may have acted on these.
            (
                "POST, empty",
                second(Act::Close, Method::POST, empty()).await,
                lost(),
            ),
            (
                "POST, reset",
                second(Act::Reset, Method::POST, empty()).await,
                lost(),
            ),
            (
                "PATCH, empty",
                second(Act::Close, Method::PATCH, empty()).await,
                lost(),
            ),
            (
                "custom",
                second(Act::Close, Method::from_bytes(b"BREW").unwrap(), empty()).await,
                lost(),
            ),
            // The body is gone.
            (
                "PUT, sized",
                second(
                    Act::Close,
                    Method::PUT,
                    Body::from(bytes::Bytes::from("body")),
                )
                .await,
                lost(),
            ),
            (
                "PUT, chunked",
                second(Act::Close, Method::PUT, chunked("body")).await,
                lost(),
            ),
            // The answer had begun.
            (
                "GET, in the head",
                second(head(), Method::GET, empty()).await,
                lost(),
            ),
            (
                "GET, one byte",
                second(byte(), Method::GET, empty()).await,
                lost(),
            ),
        ];
        for (name, outcome, expected) in cases {
            assert_eq!(outcome, expected, "{name}");
        }
    });
}

/// An answer to HEAD has no body whatever its length says, so the scripted bytes after it are
/// surplus; the answer itself is good.
fn replayed_head() -> (u8, Result<String, &'static str>) {
    (2, Ok(String::new()))
}

#[test]
fn a_new_connection_that_dies_is_no_reason_to_try_again() {
    for act in [Act::Close, Act::Reset] {
        let origin = Origin::start(move |_| act.clone());
        worker(async {
            let gateway = Gateway::to(origin.address);
            let failure = gateway.get("/").await.unwrap_err();
            assert_eq!((failure.code, failure.attempts), ("upstream_reset", 1));
            assert_eq!(failure.facts.kind, Kind::Reset);
            assert!(!failure.facts.retryable);
            assert_eq!(failure.endpoint, Some(origin.address));
            assert_eq!(origin.connections(), 1);
            assert_eq!(
                gateway.metric("lintel_upstream_attempts_total", &["outcome=\"reset\""]),
                1.0
            );
        });
    }
}

#[test]
fn a_request_is_replayed_once_and_on_a_new_connection() {
    // Two idle connections die on their next request; so does the first new one.
    let origin = Origin::start(|seen| match (seen.connection, seen.turn) {
        (0 | 1, 0) => ok("x"),
        (0..=2, _) => Act::Close,
        _ => ok("good"),
    });
    worker(async {
        let gateway = Gateway::to(origin.address);
        let (a, b) = tokio::join!(gateway.get("/"), gateway.get("/"));
        drop((a.unwrap(), b.unwrap()));
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!((failure.code, failure.attempts), ("upstream_reset", 2));
        assert_eq!(origin.connections(), 3);
        assert_eq!(gateway.idle(), 1);
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn an_endpoint_that_refuses_is_passed_over() {
    let origin = Origin::start(|_| ok("good"));
    let refusing = refusing();
    worker(async {
        let gateway = Gateway::new(spec(&[refusing, origin.address]));
        for body in ["a", "", "b", ""] {
            let body = Body::from(bytes::Bytes::from_static(body.as_bytes()));
            let answer = gateway.send(Method::POST, "/", body).await.unwrap();
            assert_eq!(answer.endpoint, Some(origin.address));
            assert!((1..=2).contains(&answer.attempts));
            assert_eq!(read(answer).await.1, "good");
        }
        let bodies: Vec<_> = origin
            .requests()
            .into_iter()
            .map(|seen| seen.body)
            .collect();
        assert_eq!(bodies, [&b"a"[..], b"", b"b", b""]);
        let failures = gateway.metric(
            "lintel_upstream_connect_failures_total",
            &["reason=\"refused\""],
        );
        assert!(failures == 2.0, "{failures}");
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn with_all_endpoints_refusing_two_are_tried() {
    worker(async {
        let gateway = Gateway::new(spec(&[refusing(), refusing(), refusing()]));
        let body = Body::from(bytes::Bytes::from("kept"));
        let failure = gateway.send(Method::POST, "/", body).await.unwrap_err();
        assert_eq!(
            (failure.code, failure.attempts),
            ("upstream_connect_failed", 2)
        );
        assert_eq!(failure.facts.status(), StatusCode::BAD_GATEWAY);
        assert!(failure.facts.retryable);
        let body = http_body_util::BodyExt::collect(failure.body.unwrap())
            .await
            .unwrap();
        assert_eq!(body.to_bytes(), "kept");
    });
}

#[test]
fn garbage_is_a_bad_response() {
    let cases = [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ];
    for answer in cases {
        let origin = Origin::start(move |_| Act::SayAndClose(answer.to_owned()));
        worker(async {
            let gateway = Gateway::to(origin.address);
            let failure = gateway.get("/").await.unwrap_err();
            assert_eq!(failure.code, "upstream_bad_response", "{answer}");
            assert_eq!(failure.facts.status(), StatusCode::BAD_GATEWAY);
            assert_eq!(gateway.idle(), 0);
        });
    }
}

/// An address that nobody listens at: the port was given out and given back, on an address of the
/// loopback network that nothing else uses.
fn refusing() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.99.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
