//! gRPC calls whose status comes in trailers.

use std::time::Duration;

use http::StatusCode;

use super::{
    Gateway, read,
    server::{Server, Setup},
    spec, worker,
};
use crate::{
    guard::{BreakerSpec, BreakerState, GuardSpec},
    health::Eject,
    service::{EndpointState, Protocol},
};

fn gateway(server: &Server) -> Gateway {
    // The second is asked when the first is out: the last endpoint is never ejected.
    let mut spec = spec(&[server.address, server.address]);
    spec.endpoints[1].priority = 1;
    spec.endpoints[1].host = crate::service::EndpointHost::Name("localhost".into());
    spec.protocol = Protocol::Http2;
    spec.eject = Some(Eject {
        consecutive_gateway_errors: 3,
        max_ejected: 1.0,
        ..Eject::default()
    });
    spec.guard = GuardSpec {
        breaker: Some(BreakerSpec {
            errors: Some(0.5),
            slow: None,
            window: Duration::from_secs(600),
            min_requests: 3,
            open_for: Duration::from_millis(1),
            probes: 1,
        }),
        ..GuardSpec::default()
    };
    Gateway::new(spec)
}

#[test]
fn failures_in_trailers_count() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = gateway(&server);
        let is_ejected = || {
            let state = &gateway.service.status()[0].state;
            matches!(state, EndpointState::Ejected(_))
        };
        for _ in 0..3 {
            assert!(!is_ejected());
            assert_eq!(gateway.service.guard_status().breaker, BreakerState::Closed);
            let answer = gateway.get("/grpc/14").await.unwrap();
            assert_eq!(read(answer).await.0, StatusCode::OK);
        }
        assert!(is_ejected());
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Open);
    });
}

#[test]
fn good_calls_and_those_that_nobody_reads_do_not() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = gateway(&server);
        for status in ["0", "5", "16"] {
            for _ in 0..4 {
                let answer = gateway.get(&format!("/grpc/{status}")).await.unwrap();
                read(answer).await;
                // Nobody waits for how this one goes.
                drop(gateway.get("/grpc/14").await.unwrap());
            }
        }
        assert_eq!(gateway.service.status()[0].state, EndpointState::Ready);
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Closed);
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn a_stream_that_lasts_is_a_good_probe() {
    let server = Server::start(Setup::default());
    worker(async {
        let gateway = gateway(&server);
        for _ in 0..3 {
            read(gateway.get("/grpc/13").await.unwrap()).await;
        }
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Open);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut stream = gateway.get("/grpc/stream").await.unwrap().response;
        assert_eq!(
            gateway.service.guard_status().breaker,
            BreakerState::HalfOpen
        );
        let frame = http_body_util::BodyExt::frame(stream.body_mut()).await;
        assert!(frame.unwrap().unwrap().is_data());
        assert_eq!(gateway.service.guard_status().breaker, BreakerState::Closed);
    });
}
