//! One worker's pool, seen from the origin.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode, header};
use lintel_http::Body;

use super::{
    Gateway, head,
    origin::{Act, Origin, ok},
    read, spec, until, worker,
};
use crate::service::{
    EndpointHost, EndpointSpec, HostRule, KeepAlive, Scheme, Service, ServiceSpec,
};

#[test]
fn requests_in_turn_share_one_connection() {
    let origin = Origin::start(|seen| ok(&format!("{}", seen.turn)));
    worker(async {
        let gateway = Gateway::to(origin.address);
        for turn in 0..10 {
            let (status, body) = gateway.text("/").await;
            assert_eq!((status, body), (StatusCode::OK, turn.to_string()));
        }
        assert_eq!(origin.connections(), 1);
        assert_eq!(gateway.in_flight(), 0);
        assert_eq!(gateway.idle(), 1);
        assert_eq!(
            gateway.metric("lintel_upstream_pool_hits_total", &["from=\"own\""]),
            9.0
        );
        assert_eq!(
            gateway.metric("lintel_upstream_pool_hits_total", &["from=\"dial\""]),
            1.0
        );
        assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 1.0);
        assert_eq!(
            gateway.metric("lintel_upstream_attempts_total", &["outcome=\"answered\""]),
            10.0
        );
    });
}

#[test]
fn requests_at_once_have_a_connection_each() {
    let origin = Origin::start(|_| ok("x"));
    worker(async {
        let gateway = Gateway::to(origin.address);
        let (a, b, c) = tokio::join!(gateway.get("/a"), gateway.get("/b"), gateway.get("/c"));
        let answers = [a.unwrap(), b.unwrap(), c.unwrap()];
        assert_eq!(gateway.in_flight(), 3);
        drop(answers);
        assert_eq!(gateway.in_flight(), 0);
        assert_eq!(gateway.idle(), 3);
        assert_eq!(origin.connections(), 3);
        gateway.text("/d").await;
        assert_eq!(origin.connections(), 3);
    });
}

#[test]
fn the_request_counts_until_its_body_is_read() {
    let origin = Origin::start(|_| {
        Act::SayAndStall("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned())
    });
    worker(async {
        let gateway = Gateway::to(origin.address);
        let answer = gateway.get("/").await.unwrap();
        assert_eq!(answer.endpoint, Some(origin.address));
        assert_eq!((answer.attempts, gateway.in_flight()), (1, 1));
        drop(answer);
        assert_eq!((gateway.in_flight(), gateway.idle()), (0, 0));
        // A connection with half an answer on it is of no use to anybody.
        until(|| origin.closed() == 1).await;
        assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 0.0);
    });
}

#[test]
fn what_the_origin_says_about_the_connection_counts() {
    let cases = [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx",
        "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxsurplus",
    ];
    for answer in cases {
        let origin = Origin::start(move |_| Act::Say(answer.to_owned()));
        worker(async {
            let gateway = Gateway::to(origin.address);
            assert_eq!(gateway.text("/").await.1, "x");
            assert_eq!(gateway.text("/").await.1, "x");
            assert_eq!(origin.connections(), 2, "{answer}");
        });
    }
}

#[test]
fn an_idle_connection_closed_by_the_origin_is_noticed_before_use() {
    let origin = Origin::start(|seen| match seen.connection {
        0 => Act::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx".to_owned()),
        _ => ok("y"),
    });
    worker(async {
        let gateway = Gateway::to(origin.address);
        gateway.text("/").await;
        until(|| origin.closed() == 1).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        // A POST can't be replayed: it succeeds only if the dead connection is not used at all.
        let answer = gateway
            .send(Method::POST, "/", Body::empty())
            .await
            .unwrap();
        assert_eq!(answer.attempts, 1);
        assert_eq!(read(answer).await.1, "y");
    });
}

#[test]
fn idle_connections_are_closed_in_time() {
    let hinted = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 1\r\n\r\nx";
    let plain = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    for (answer, kept, closed) in [(plain, 59, 61), (hinted, 3, 5)] {
        let origin = Origin::start(move |_| Act::Say(answer.to_owned()));
        worker(async {
            let gateway = Gateway::to(origin.address);
            gateway.text("/").await;
            gateway.tick_after(Duration::from_secs(kept));
            assert_eq!(gateway.idle(), 1, "{answer}");
            gateway.tick_after(Duration::from_secs(closed));
            assert_eq!(gateway.idle(), 0, "{answer}");
            until(|| origin.closed() == 1).await;
        });
    }
}

#[test]
fn no_more_is_kept_than_allowed() {
    let cases = [
        (
            KeepAlive {
                max_idle_per_worker: 1,
                ..KeepAlive::default()
            },
            1,
        ),
        (
            KeepAlive {
                max_idle_per_worker: 0,
                ..KeepAlive::default()
            },
            0,
        ),
        (
            KeepAlive {
                max_requests: 1,
                ..KeepAlive::default()
            },
            0,
        ),
    ];
    for (keep_alive, kept) in cases {
        let origin = Origin::start(|_| ok("x"));
        worker(async {
            let gateway = Gateway::new(ServiceSpec {
                keep_alive,
                ..spec(&[origin.address])
            });
            let (a, b) = tokio::join!(gateway.get("/"), gateway.get("/"));
            drop((a.unwrap(), b.unwrap()));
            // Once it is clear that there is no need for more.
            gateway.tick_after(Duration::from_millis(1_500));
            assert_eq!(gateway.idle(), kept, "{keep_alive:?}");
            let closed = 2 - usize::try_from(kept).unwrap();
            until(|| origin.closed() == closed).await;
            gateway.text("/").await;
            assert_eq!(
                gateway.metric("lintel_upstream_connections", &[]),
                f64::from(kept)
            );
        });
    }
}

/// Requests that come three at a time do not open connections each time, where one is to be kept.
#[test]
fn a_burst_finds_the_connections_of_the_one_before() {
    let origin = Origin::start(|_| ok("x"));
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            keep_alive: KeepAlive {
                max_idle_per_worker: 1,
                ..KeepAlive::default()
            },
            ..spec(&[origin.address])
        });
        for _ in 0..5 {
            let (a, b, c) = tokio::join!(gateway.get("/"), gateway.get("/"), gateway.get("/"));
            drop((a.unwrap(), b.unwrap(), c.unwrap()));
            gateway.tick_after(Duration::from_millis(150));
        }
        assert_eq!((origin.connections(), origin.closed()), (3, 0));
        gateway.tick_after(Duration::from_millis(1_500));
        assert_eq!(gateway.idle(), 1);
        until(|| origin.closed() == 2).await;
    });
}

#[test]
fn hosts_are_told_by_rule() {
    let origin = Origin::start(|_| ok("x"));
    let own = origin.address.to_string();
    let rules = [
        (HostRule::Preserve, "orders.example".to_owned()),
        (HostRule::Endpoint, own),
        (
            HostRule::Fixed("fixed.example".parse().unwrap()),
            "fixed.example".to_owned(),
        ),
    ];
    for (host, told) in rules {
        worker(async {
            Gateway::new(ServiceSpec {
                host,
                ..spec(&[origin.address])
            })
            .text("/")
            .await;
        });
        let head = origin.requests().pop().unwrap().head;
        assert!(head.contains(&format!("host: {told}\r\n")), "{head}");
    }
}

#[test]
fn split_cookies_of_http2_clients_are_joined() {
    let origin = Origin::start(|_| ok("x"));
    worker(async {
        let gateway = Gateway::to(origin.address);
        let mut head = head(Method::GET, "/");
        head.version = http::Version::HTTP_2;
        for crumb in ["a=1", "b=2", "c=3"] {
            head.headers.append(header::COOKIE, crumb.parse().unwrap());
        }
        gateway
            .send_head(&mut head, Body::empty(), None)
            .await
            .unwrap();
        assert!(
            origin.requests()[0]
                .head
                .contains("cookie: a=1; b=2; c=3\r\n")
        );
    });
}

#[test]
fn unix_sockets_are_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        while stream.read(&mut request).unwrap_or(0) > 0 {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nunix")
                .unwrap();
        }
    });
    worker(async {
        let endpoint = EndpointSpec {
            scheme: Scheme::Http,
            host: EndpointHost::Unix(path),
            port: 0,
            weight: 1,
            priority: 0,
            zone: None,
        };
        let gateway = Gateway::new(ServiceSpec::new("orders", vec![endpoint]));
        for _ in 0..2 {
            let answer = gateway.get("/").await.unwrap();
            assert_eq!(answer.endpoint, None);
            assert_eq!(read(answer).await.1, "unix");
        }
    });
}

#[test]
fn connections_outlive_a_change_of_the_service() {
    let origin = Origin::start(|_| ok("x"));
    let other = Origin::start(|_| ok("y"));
    worker(async {
        let mut gateway = Gateway::to(origin.address);
        gateway.text("/").await;
        let first = Arc::clone(&gateway.service);

        let same = Service::build(spec(&[origin.address]), Some(&first)).unwrap();
        assert!(Arc::ptr_eq(&same, &first));

        let mut changed = spec(&[other.address, origin.address]);
        changed.timeouts.idle = Duration::from_secs(7);
        gateway.service = Service::build(changed, Some(&first)).unwrap();
        assert_eq!(gateway.idle(), 1);
        assert_eq!(gateway.text("/").await.1, "y");
        assert_eq!(gateway.text("/").await.1, "x");
        assert_eq!((origin.connections(), other.connections()), (1, 1));

        // The endpoint is gone; what is on its way there ends in peace.
        let answers = [
            gateway.get("/").await.unwrap(),
            gateway.get("/").await.unwrap(),
        ];
        let third = Service::build(spec(&[other.address]), Some(&gateway.service)).unwrap();
        let second = std::mem::replace(&mut gateway.service, third);
        drop((first, same, second));
        gateway.tick_after(Duration::ZERO);
        for answer in answers {
            assert_eq!(answer.response.status(), StatusCode::OK);
            read(answer).await;
        }
        until(|| origin.closed() == 1).await;
        assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 1.0);
        assert_eq!(gateway.metric("lintel_upstream_requests_active", &[]), 0.0);
    });
}
