//! Health checks of real origins.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use http::Method;
use lintel_telemetry::Catalogue;

use super::{
    Gateway,
    origin::{Act, Origin, ok},
    server::{Certificates, Server, Setup},
    spec, until, worker,
};
use crate::{
    Supervision,
    health::{BodyTest, Check, Eject, HttpProbe, Pattern, Probe, Turn, checks::examine},
    service::{EndpointSpec, EndpointState, Protocol, Scheme, Service, ServiceSpec},
};

fn http_probe() -> HttpProbe {
    HttpProbe {
        method: Method::GET,
        path: "/healthz?deep=1".parse().unwrap(),
        host: None,
        statuses: vec![200..=299],
        body: None,
    }
}

fn check(probe: Probe) -> Check {
    Check {
        probe,
        interval: Duration::from_millis(10),
        first_interval: Duration::from_millis(10),
        timeout: Duration::from_secs(20),
        healthy_after: 2,
        unhealthy_after: 2,
        before_use: true,
    }
}

/// One check of the only endpoint.
fn asked(spec: ServiceSpec, check: &Check) -> Result<(), String> {
    worker(async {
        let service = Service::build(spec, None).unwrap();
        let endpoint = Arc::clone(&service.endpoints().endpoints()[0]);
        examine(&service, &endpoint, check).await
    })
}

fn said(act: Act, probe: HttpProbe) -> Result<(), String> {
    let origin = Origin::start(move |_| act.clone());
    asked(spec(&[origin.address]), &check(Probe::Http(probe)))
}

fn status(status: u16) -> Act {
    Act::Say(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"))
}

#[test]
fn a_request_is_sent_as_it_is_meant() {
    let origin = Origin::start(|_| ok("x"));
    let probe = HttpProbe {
        method: Method::HEAD,
        host: Some(http::HeaderValue::from_static("health.internal")),
        ..http_probe()
    };
    asked(spec(&[origin.address]), &check(Probe::Http(probe))).unwrap();
    asked(spec(&[origin.address]), &check(Probe::Http(http_probe()))).unwrap();
    let heads: Vec<String> = origin
        .requests()
        .iter()
        .map(|seen| seen.head.to_ascii_lowercase())
        .collect();
    assert!(
        heads[0].starts_with("head /healthz?deep=1 http/1.1"),
        "{}",
        heads[0]
    );
    assert!(heads[0].contains("host: health.internal"), "{}", heads[0]);
    assert!(
        heads[0].contains("user-agent: lintel-health-check"),
        "{}",
        heads[0]
    );
    let host = format!("host: {}", origin.address);
    assert!(heads[1].contains(&host), "{}", heads[1]);
    assert_eq!(
        origin.connections(),
        2,
        "each check has a connection of its own"
    );
}

#[test]
fn statuses_and_bodies_decide() {
    assert_eq!(said(status(204), http_probe()), Ok(()));
    assert_eq!(
        said(status(503), http_probe()),
        Err("it answered with 503".to_owned())
    );
    let lenient = HttpProbe {
        statuses: vec![200..=299, 401..=401],
        ..http_probe()
    };
    assert_eq!(said(status(401), lenient), Ok(()));
    let body = |test| HttpProbe {
        body: Some(test),
        ..http_probe()
    };
    let contains = || body(BodyTest::Contains("\"up\"".into()));
    assert_eq!(said(ok("{\"db\": \"up\"}"), contains()), Ok(()));
    assert!(said(ok("{\"db\": \"down\"}"), contains()).is_err());
    let matches = || body(BodyTest::Matches(Pattern::new("lag: [0-9]s").unwrap()));
    assert_eq!(said(ok("lag: 3s"), matches()), Ok(()));
    assert!(said(ok("lag: 30s"), matches()).is_err());
}

#[test]
fn an_endpoint_that_does_not_answer_fails() {
    assert!(said(Act::Close, http_probe()).is_err());
    assert!(
        said(
            Act::SayAndClose("nonsense\r\n\r\n".to_owned()),
            http_probe()
        )
        .is_err()
    );
    let silent = Origin::start(|_| Act::SayAndStall(String::new()));
    let hasty = Check {
        timeout: Duration::from_millis(50),
        ..check(Probe::Http(http_probe()))
    };
    let late = asked(spec(&[silent.address]), &hasty).unwrap_err();
    assert_eq!(late, "no answer within 50 ms");
    let stuck = Origin::start(|_| {
        Act::SayAndStall("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123".to_owned())
    });
    let late = asked(spec(&[stuck.address]), &hasty).unwrap_err();
    assert_eq!(late, "no answer within 50 ms");
    // A connection alone can be had of it.
    assert_eq!(asked(spec(&[silent.address]), &check(Probe::Tcp)), Ok(()));
    let nobody = "127.0.0.1:1".parse().unwrap();
    assert!(
        asked(spec(&[nobody]), &check(Probe::Tcp))
            .unwrap_err()
            .starts_with("connection failed")
    );
}

#[test]
fn grpc_is_asked_by_its_own_protocol() {
    let server = Server::start(Setup::default());
    let ask = |name: &str| {
        let spec = ServiceSpec {
            protocol: Protocol::Http2,
            ..spec(&[server.address])
        };
        asked(spec, &check(Probe::Grpc(name.into())))
    };
    assert_eq!(ask(""), Ok(()));
    assert_eq!(ask("orders.v1.Orders"), Ok(()));
    assert_eq!(
        ask("sick"),
        Err("it is not serving (NOT_SERVING)".to_owned())
    );
    assert!(
        ask("nobody")
            .unwrap_err()
            .contains("knows no service `nobody`")
    );
    let head = &server.heads()[0];
    assert_eq!(head.headers()["content-type"], "application/grpc");
    assert_eq!(head.headers()["te"], "trailers");
}

#[test]
fn checks_use_the_services_tls() {
    let certificates = Certificates::new();
    let server = Server::start(Setup {
        tls: Some(Arc::clone(&certificates)),
        alpn: vec![lintel_tls::Alpn::H2],
        ..Setup::default()
    });
    let spec = |ca| {
        let endpoint = EndpointSpec {
            scheme: Scheme::Https,
            ..EndpointSpec::http(server.address)
        };
        ServiceSpec {
            tls: Some(lintel_tls::ClientSettings {
                roots: lintel_tls::Roots::File(ca),
                ..lintel_tls::ClientSettings::default()
            }),
            ..ServiceSpec::new("orders", vec![endpoint])
        }
    };
    for probe in [
        Probe::Tcp,
        Probe::Http(http_probe()),
        Probe::Grpc("".into()),
    ] {
        assert_eq!(asked(spec(certificates.ca()), &check(probe)), Ok(()));
    }
    let stranger = Certificates::new();
    let refused = asked(spec(stranger.ca()), &check(Probe::Tcp)).unwrap_err();
    assert!(refused.starts_with("TLS handshake failed"), "{refused}");
}

#[test]
fn an_endpoint_goes_and_comes_back_by_its_checks() {
    let well = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&well);
    let sick = Origin::start(move |seen| {
        if seen.head.contains("/healthz") && !shared.load(SeqCst) {
            return status(500);
        }
        ok("first")
    });
    let other = Origin::start(|_| ok("other"));
    worker(async {
        let spec = ServiceSpec {
            check: Some(check(Probe::Http(http_probe()))),
            ..spec(&[sick.address, other.address])
        };
        let service = Service::build(spec, None).unwrap();
        let gateway = Gateway::with(Arc::clone(&service), 0);
        for status in service.status() {
            assert_eq!(status.state, EndpointState::Unchecked);
        }
        // Nobody is known to be healthy, so everybody is asked.
        assert_eq!(gateway.text("/").await.0, 200);
        let catalogue = Catalogue::new();
        let supervision = Supervision::start(&service, &catalogue);
        let state = |index: usize| service.status()[index].state.clone();
        until(|| {
            state(0) == EndpointState::Unhealthy("it answered with 500".to_owned())
                && state(1) == EndpointState::Ready
        })
        .await;
        for _ in 0..4 {
            assert_eq!(gateway.text("/").await.1, "other");
        }
        assert_eq!(service.status()[1].share, 1.0);
        well.store(true, SeqCst);
        until(|| state(0) == EndpointState::Ready).await;
        let texts = [gateway.text("/").await.1, gateway.text("/").await.1];
        assert!(texts.contains(&"first".to_owned()), "{texts:?}");
        let turns: Vec<Turn> = service.status()[0]
            .history
            .iter()
            .map(|one| one.turn.clone())
            .collect();
        assert_eq!(
            turns,
            [
                Turn::Unhealthy("it answered with 500".into()),
                Turn::Healthy
            ]
        );
        let mut page = Vec::new();
        catalogue.render(&mut page, false);
        let page = String::from_utf8(page).unwrap();
        let gauge = format!(
            "lintel_upstream_endpoint_healthy{{service=\"orders\",endpoint=\"http://{}\"}} 1",
            sick.address
        );
        assert!(page.contains(&gauge), "{page}");
        assert!(
            page.contains(
                "lintel_upstream_health_checks_total{service=\"orders\",result=\"failed\"}"
            )
        );
        // Without supervision nobody is checked any more.
        drop(supervision);
        let service = Arc::downgrade(&service);
        drop(gateway);
        until(|| service.strong_count() <= 1).await;
    });
}

#[test]
fn an_ejected_endpoint_whose_checks_failed_is_on_trial_once_they_pass() {
    let (well, good) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(false)),
    );
    let shared = (Arc::clone(&well), Arc::clone(&good));
    let sick = Origin::start(move |seen| {
        let checked = seen.head.contains("/healthz");
        let fit = if checked { &shared.0 } else { &shared.1 };
        if fit.load(SeqCst) {
            ok("first")
        } else {
            status(503)
        }
    });
    let other = Origin::start(|_| ok("other"));
    worker(async {
        let spec = ServiceSpec {
            check: Some(check(Probe::Http(http_probe()))),
            eject: Some(Eject {
                consecutive_gateway_errors: 2,
                base: Duration::from_secs(3600),
                max: Duration::from_secs(3600),
                ..Eject::default()
            }),
            ..spec(&[sick.address, other.address])
        };
        let service = Service::build(spec, None).unwrap();
        let gateway = Gateway::with(Arc::clone(&service), 0);
        let _supervision = Supervision::start(&service, &Catalogue::new());
        let state = |index: usize| service.status()[index].state.clone();
        until(|| state(0) == EndpointState::Ready && state(1) == EndpointState::Ready).await;
        while !matches!(state(0), EndpointState::Ejected(_)) {
            gateway.text("/").await;
        }
        // Checks that pass all the time are no reason to take it back.
        let checks = || {
            sick.requests()
                .iter()
                .filter(|seen| seen.head.contains("/healthz"))
                .count()
        };
        let before = checks();
        until(|| checks() > before + 3).await;
        assert!(matches!(state(0), EndpointState::Ejected(_)));
        let turned = |turn: &Turn| {
            service.status()[0]
                .history
                .iter()
                .any(|one| one.turn == *turn)
        };
        well.store(false, SeqCst);
        until(|| turned(&Turn::Unhealthy("it answered with 503".into()))).await;
        good.store(true, SeqCst);
        well.store(true, SeqCst);
        until(|| state(0) == EndpointState::OnTrial).await;
        while state(0) != EndpointState::Ready {
            assert_eq!(gateway.text("/").await.0, 200);
        }
    });
}
