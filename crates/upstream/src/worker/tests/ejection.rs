//! Endpoints that fail, with real sockets: left out, and only they.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use http_body_util::BodyExt as _;

use super::{
    Gateway,
    origin::{Act, Origin, ok},
    spec, worker,
};
use crate::{
    health::Eject,
    service::{Balance, EndpointState, ServiceSpec, Sticky, Timeouts},
};

fn say(status: u16) -> Act {
    Act::Say(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"))
}

/// Sends a number of requests to a bad and a good endpoint. How many were answered well, and
/// whether the bad one was ejected.
fn campaign(bad: &Origin, eject: Eject) -> (usize, bool) {
    let good = Origin::start(|_| ok("good"));
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            eject: Some(eject),
            ..spec(&[bad.address, good.address])
        });
        let mut answered = 0;
        for _ in 0..40 {
            if let Ok(answer) = gateway.get("/").await
                && super::read(answer).await.1 == "good"
            {
                answered += 1;
            }
        }
        let status = gateway.service.status();
        assert_eq!(status[1].state, EndpointState::Ready);
        (
            answered,
            matches!(status[0].state, EndpointState::Ejected(_)),
        )
    })
}

#[test]
fn an_endpoint_that_resets_is_ejected() {
    let (answered, ejected) = campaign(&Origin::start(|_| Act::Reset), Eject::default());
    assert!(ejected && answered >= 35, "{answered}");
}

#[test]
fn an_endpoint_that_talks_nonsense_is_ejected() {
    let nonsense = Origin::start(|_| Act::SayAndClose("nonsense\r\n\r\n".to_owned()));
    let (answered, ejected) = campaign(&nonsense, Eject::default());
    assert!(ejected && answered >= 35, "{answered}");
}

/// An address that is bound and where nobody listens: the port can't be given to anybody else
/// meanwhile.
fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn an_endpoint_that_refuses_is_ejected_and_nobody_notices() {
    let (_bound, refusing) = refusing();
    let good = Origin::start(|_| ok("good"));
    worker(async {
        let gateway = Gateway::new(spec(&[refusing, good.address]));
        for _ in 0..20 {
            assert_eq!(gateway.text("/").await.1, "good");
        }
        let failures = gateway.metric("lintel_upstream_connect_failures_total", &["refused"]);
        assert_eq!(failures, 5.0, "five, and then it is left alone");
        assert!(matches!(
            gateway.service.status()[0].state,
            EndpointState::Ejected(_)
        ));
    });
}

#[test]
fn a_service_that_is_gone_is_not_stormed() {
    let gone: Vec<_> = (0..2).map(|_| refusing()).collect();
    let addresses: Vec<_> = gone.iter().map(|(_, address)| *address).collect();
    worker(async {
        let gateway = Gateway::new(spec(&addresses));
        let mut tries = 0;
        for _ in 0..20 {
            tries += usize::from(gateway.get("/").await.unwrap_err().attempts);
        }
        assert_eq!(
            tries, 21,
            "only the first request goes from one to the other"
        );
    });
}

/// Sends requests to an endpoint that begins its answers well, and to a good one, reading all of
/// them. Whether the bad one was ejected.
fn broken(act: fn() -> Act) -> bool {
    let (bad, good) = (Origin::start(move |_| act()), Origin::start(|_| ok("good")));
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            timeouts: Timeouts {
                idle: Duration::from_millis(50),
                ..Timeouts::default()
            },
            ..spec(&[bad.address, good.address])
        });
        for _ in 0..14 {
            let mut body = gateway.get("/").await.unwrap().response.into_body();
            while let Some(Ok(_)) = body.frame().await {}
        }
        let status = gateway.service.status();
        assert_eq!(status[1].state, EndpointState::Ready);
        matches!(status[0].state, EndpointState::Ejected(_))
    })
}

#[test]
fn an_endpoint_whose_answers_break_off_is_ejected() {
    let cut = || Act::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_owned());
    let stalled = || {
        Act::SayAndStall(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_owned(),
        )
    };
    for act in [cut as fn() -> Act, stalled] {
        assert!(broken(act));
    }
    // What follows the head at leisure is no failure.
    let slow = || Act::SayAndClose("HTTP/1.1 200 OK\r\n\r\nuntil the end".to_owned());
    assert!(!broken(slow));
}

#[test]
fn server_errors_are_the_applications_unless_told_otherwise() {
    let (_, ejected) = campaign(&Origin::start(|_| say(500)), Eject::default());
    assert!(!ejected);
    let strict = Eject {
        consecutive_5xx: 5,
        ..Eject::default()
    };
    let (answered, ejected) = campaign(&Origin::start(|_| say(500)), strict);
    assert!(ejected && answered >= 35);
    let (_, ejected) = campaign(&Origin::start(|_| say(503)), Eject::default());
    assert!(ejected);
}

#[test]
fn an_endpoint_that_flaps_comes_back_and_goes_again() {
    let well = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&well);
    let flapping = Origin::start(move |_| {
        if shared.load(SeqCst) {
            ok("back")
        } else {
            Act::Reset
        }
    });
    let good = Origin::start(|_| ok("good"));
    worker(async {
        let gateway = Gateway::new(spec(&[flapping.address, good.address]));
        let ask = async |count: usize| {
            let mut back = 0;
            for _ in 0..count {
                if let Ok(answer) = gateway.get("/").await {
                    back += usize::from(super::read(answer).await.1 == "back");
                }
            }
            back
        };
        ask(20).await;
        let endpoint = Arc::clone(&gateway.service.endpoints().endpoints()[0]);
        assert!(endpoint.health.is_ejected());
        // The time of the ejection is over; it is as ill as before: one request finds out.
        let before = flapping.requests().len();
        endpoint.health.begin_trial(crate::health::Moment::now(), 3);
        gateway.service.members.touch();
        assert_eq!(ask(20).await, 0);
        assert!(endpoint.health.is_ejected());
        assert!(flapping.requests().len() <= before + 1);
        // Now it is well again.
        well.store(true, SeqCst);
        endpoint.health.begin_trial(crate::health::Moment::now(), 3);
        gateway.service.members.touch();
        assert_eq!(ask(20).await, 10);
        assert!(!endpoint.health.is_on_trial() && endpoint.health.is_available());
    });
}

#[test]
fn a_connection_that_has_grown_stale_is_no_failure() {
    // Every second request finds its connection closed by the origin, and is sent anew.
    let origin = Origin::start(|seen| if seen.turn == 0 { ok("x") } else { Act::Close });
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            balance: Balance::LeastRequest,
            ..spec(&[origin.address, origin.address])
        });
        for _ in 0..30 {
            assert_eq!(gateway.text("/").await.1, "x");
        }
        for status in gateway.service.status() {
            assert_eq!(status.state, EndpointState::Ready);
        }
    });
}

#[test]
fn an_endpoint_on_trial_gets_one_request_at_a_time() {
    let (one, other) = (Origin::start(|_| ok("1")), Origin::start(|_| ok("2")));
    worker(async {
        let gateway = Gateway::new(spec(&[one.address, other.address]));
        let endpoint = Arc::clone(&gateway.service.endpoints().endpoints()[0]);
        endpoint
            .health
            .begin_trial(crate::health::Moment::now(), 100);
        gateway.service.members.touch();
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(gateway.get("/").await.unwrap());
        }
        let at_first = held
            .iter()
            .filter(|answer| answer.endpoint == Some(one.address))
            .count();
        assert_eq!(at_first, 1);
    });
}

#[test]
fn a_new_weight_applies_at_once_and_keeps_connections() {
    let (one, other) = (Origin::start(|_| ok("1")), Origin::start(|_| ok("2")));
    worker(async {
        let gateway = Gateway::new(spec(&[one.address, other.address]));
        for _ in 0..4 {
            gateway.text("/").await;
        }
        let id = gateway.service.status()[0].id.clone();
        gateway.service.set_weight(&id, Some(0)).unwrap();
        for _ in 0..4 {
            assert_eq!(gateway.text("/").await.1, "2");
        }
        assert_eq!(gateway.service.status()[0].state, EndpointState::Drained);
        let last = gateway.service.status()[1].id.clone();
        assert!(gateway.service.set_weight(&last, Some(0)).is_err());
        gateway.service.set_weight(&id, None).unwrap();
        let texts = [gateway.text("/").await.1, gateway.text("/").await.1];
        assert!(texts.contains(&"1".to_owned()), "{texts:?}");
        assert_eq!((one.connections(), other.connections()), (1, 1));
        assert_eq!(gateway.service.status()[0].history.len(), 2);
    });
}

#[test]
fn a_session_begins_and_stays() {
    let origins = [
        Origin::start(|_| ok("0")),
        Origin::start(|_| ok("1")),
        Origin::start(|_| ok("2")),
    ];
    let sticky = Sticky {
        cookie: "lintel".into(),
        ttl: Some(Duration::from_secs(60)),
        path: "/".into(),
        secure: None,
        http_only: true,
        same_site: crate::service::SameSite::Lax,
        secret: None,
    };
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            balance: Balance::Sticky(sticky),
            ..spec(&origins.each_ref().map(|origin| origin.address))
        });
        let first = gateway.get("/").await.unwrap();
        let (session, home) = (first.session.unwrap(), first.endpoint);
        let cookie = gateway.service.set_cookie(session, true).unwrap();
        assert_eq!(
            cookie.to_str().unwrap(),
            format!("lintel={session:016x}; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax")
        );
        let ask = async || {
            let mut head = super::head(http::Method::GET, "/");
            let call = super::Call {
                key: Some(session),
                ..super::call(&mut head, lintel_http::Body::empty(), &gateway.timer)
            };
            let answer = gateway.pools.send(&gateway.service, call).await.unwrap();
            (answer.endpoint, answer.session)
        };
        for _ in 0..10 {
            assert_eq!(ask().await, (home, None));
        }
        // Drained, it keeps its sessions; ejected, they move.
        let set = gateway.service.endpoints();
        let at = set
            .endpoints()
            .iter()
            .position(|one| one.address() == home)
            .unwrap();
        gateway
            .service
            .set_weight(&set.endpoints()[at].id(), Some(0))
            .unwrap();
        assert_eq!(ask().await, (home, None));
        set.endpoints()[at].health.fails();
        gateway.service.members.touch();
        let (moved, session) = ask().await;
        assert!(moved != home && session.is_some());
    });
}

#[test]
fn a_gateway_error_is_no_slower_than_it_was() {
    let origin = Origin::start(|_| say(503));
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            eject: None,
            ..spec(&[origin.address])
        });
        for _ in 0..4 {
            gateway.text("/").await;
        }
        let tally = gateway.service.endpoints().endpoints()[0].tally();
        assert_eq!((tally.good, tally.bad, tally.timed), (0, 4, 4));
        // Not a constant: what the tries themselves have taken, the slowest of them at most.
        let expected = gateway.service.status()[0].latency.unwrap_or_default();
        let all = Duration::from_micros(tally.micros + 4);
        assert!(expected <= all, "{expected:?} of {all:?}");
    });
}
