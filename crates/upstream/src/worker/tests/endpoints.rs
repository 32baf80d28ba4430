//! Which endpoint a request goes to, and what happens where there is none.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use lintel_http::Body;
use tokio::sync::Semaphore;

use super::{
    Call, Gateway, call, head,
    origin::{Origin, ok},
    read, spec, worker,
};
use crate::{
    Resolution,
    resolver::{Answer, Looking, Lookup},
    service::{Addresses, Balance, EndpointHost, EndpointSpec, Service, ServiceSpec, Timeouts},
};

/// Answers with this machine once it is let to, or fails.
struct Held {
    gate: Semaphore,
    good: bool,
}

impl Lookup for Held {
    fn lookup<'a>(&'a self, _name: &'a str, _: Addresses) -> Looking<'a> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            let addresses = vec![IpAddr::from([127, 0, 0, 1])];
            if self.good {
                Ok(Answer {
                    addresses,
                    ttl: Duration::from_secs(60),
                })
            } else {
                Err("NXDOMAIN".to_owned())
            }
        })
    }
}

fn named(origin: &Origin) -> Arc<Service> {
    let endpoint = EndpointSpec {
        host: EndpointHost::Name("orders.svc".into()),
        ..EndpointSpec::http(origin.address)
    };
    let timeouts = Timeouts {
        connect: Duration::from_secs(30),
        ..Timeouts::default()
    };
    Service::build(
        ServiceSpec {
            timeouts,
            ..ServiceSpec::new("orders", vec![endpoint])
        },
        None,
    )
    .unwrap()
}

/// The control runtime, looking the service's name up.
fn resolving(
    service: &Arc<Service>,
    good: bool,
) -> (tokio::runtime::Runtime, Resolution, Arc<Held>) {
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let held = Arc::new(Held {
        gate: Semaphore::new(0),
        good,
    });
    let resolution = Resolution::start_with(service, control.handle(), Arc::<Held>::clone(&held));
    (control, resolution, held)
}

#[test]
fn a_request_waits_for_the_first_answer_about_a_name() {
    let origin = Origin::start(|_| ok("x"));
    let service = named(&origin);
    let (_control, _resolution, held) = resolving(&service, true);
    worker(async {
        let gateway = Gateway::with(service, 0);
        let letting = async {
            tokio::task::yield_now().await;
            held.gate.add_permits(1);
        };
        let (answer, ()) = tokio::join!(gateway.get("/"), letting);
        let answer = answer.unwrap();
        assert_eq!(answer.attempts, 1);
        assert_eq!(read(answer).await.1, "x");
    });
}

#[test]
fn a_name_that_does_not_resolve_fails_its_own_service_alone() {
    let origin = Origin::start(|_| ok("x"));
    let service = named(&origin);
    let (control, resolution, held) = resolving(&service, false);
    held.gate.add_permits(1);
    control.block_on(resolution.settled());
    worker(async {
        let broken = Gateway::with(service, 0);
        let failure = broken.get("/").await.unwrap_err();
        assert_eq!((failure.code, failure.attempts), ("no_endpoint", 0));
        assert_eq!(failure.facts.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(failure.facts.retryable && failure.body.is_some());
        let good = Service::build(spec(&[origin.address]), None).unwrap();
        let mut head = head(Method::GET, "/");
        broken
            .pools
            .send(&good, call(&mut head, Body::empty(), &broken.timer))
            .await
            .unwrap();
    });
}

#[test]
fn a_name_that_nobody_looks_up_fails_at_once() {
    let origin = Origin::start(|_| ok("x"));
    worker(async {
        let failure = Gateway::with(named(&origin), 0).get("/").await.unwrap_err();
        assert_eq!(failure.code, "no_endpoint");
    });
}

#[test]
fn weights_hold_to_the_request() {
    let origins = [
        Origin::start(|_| ok("a")),
        Origin::start(|_| ok("b")),
        Origin::start(|_| ok("c")),
    ];
    worker(async {
        let mut spec = spec(&origins.each_ref().map(|origin| origin.address));
        for (endpoint, weight) in spec.endpoints.iter_mut().zip([3, 1, 0]) {
            endpoint.weight = weight;
        }
        let gateway = Gateway::new(spec);
        for _ in 0..20 {
            gateway.text("/").await;
        }
    });
    assert_eq!(origins.map(|origin| origin.requests().len()), [15, 5, 0]);
}

#[test]
fn the_less_busy_endpoint_is_preferred() {
    let (one, other) = (Origin::start(|_| ok("1")), Origin::start(|_| ok("2")));
    worker(async {
        let gateway = Gateway::new(ServiceSpec {
            balance: Balance::LeastRequest,
            ..spec(&[one.address, other.address])
        });
        let held = gateway.get("/").await.unwrap();
        let busy = held.endpoint;
        for _ in 0..20 {
            let answer = gateway.get("/").await.unwrap();
            assert_ne!(answer.endpoint, busy);
        }
        drop(held);
    });
}

#[test]
fn endpoints_that_were_tried_are_left_out() {
    let (one, other) = (Origin::start(|_| ok("1")), Origin::start(|_| ok("2")));
    worker(async {
        let gateway = Gateway::new(spec(&[one.address, other.address]));
        let tried = gateway.get("/").await.unwrap().tried;
        for _ in 0..4 {
            let mut head = head(Method::GET, "/");
            let call = Call {
                tried,
                ..call(&mut head, Body::empty(), &gateway.timer)
            };
            let answer = gateway.pools.send(&gateway.service, call).await.unwrap();
            assert_eq!(answer.endpoint, Some(other.address));
        }
        let mut both = gateway.get("/").await.unwrap().tried;
        both.add(gateway.service.endpoints().endpoints()[0].slot());
        both.add(gateway.service.endpoints().endpoints()[1].slot());
        let mut head = head(Method::GET, "/");
        let call = Call {
            tried: both,
            ..call(&mut head, Body::empty(), &gateway.timer)
        };
        // Where there is no other, a request that was everywhere begins anew.
        let answer = gateway.pools.send(&gateway.service, call).await.unwrap();
        assert_eq!(answer.attempts, 1);
    });
}

#[test]
fn localhost_is_found_on_either_family() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 can't have the second case.
        let Ok(listener) = std::net::TcpListener::bind(address) else {
            continue;
        };
        let origin = Origin::serve(listener, |_| ok("x"));
        let endpoint = EndpointSpec {
            host: EndpointHost::Name("localhost".into()),
            ..EndpointSpec::http(origin.address)
        };
        worker(async {
            let gateway = Gateway::new(ServiceSpec::new("orders", vec![endpoint]));
            assert_eq!(gateway.text("/").await.1, "x", "{address}");
            assert_eq!(gateway.text("/").await.1, "x", "{address}");
        });
        assert_eq!(origin.connections(), 1, "{address}");
    }
}
