#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{net::SocketAddr, sync::Arc};

use super::*;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn spec(ports: &[u16]) -> ServiceSpec {
    ServiceSpec::new(
        "orders",
        ports
            .iter()
            .map(|port| EndpointSpec::http(address(*port)))
            .collect(),
    )
}

fn at(service: &Service, index: usize) -> Arc<Endpoint> {
    Arc::clone(&service.endpoints().endpoints()[index])
}

#[test]
fn an_equal_specification_is_the_same_service() {
    let first = Service::build(spec(&[1, 2]), None).unwrap();
    let same = Service::build(spec(&[1, 2]), Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first, &same));
}

#[test]
fn endpoints_that_stay_are_kept() {
    let first = Service::build(spec(&[1, 2]), None).unwrap();
    let mut changed = spec(&[3, 2]);
    changed.endpoints[1].weight = 9;
    let second = Service::build(changed, Some(&first)).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_ne!(first.slot(), second.slot());
    assert!(Arc::ptr_eq(&at(&first, 1), &at(&second, 1)));
    assert_eq!(second.endpoints().weights().each(), [1, 9]);
    assert!(Arc::ptr_eq(&first.usage, &second.usage));
    // A configuration that is refused later has taken nothing away.
    drop(second);
    assert_eq!(first.endpoints().endpoints().len(), 2);
}

#[test]
fn another_protocol_or_name_keeps_nothing() {
    let first = Service::build(spec(&[1]), None).unwrap();
    let h2 = ServiceSpec {
        protocol: Protocol::Http2,
        ..spec(&[1])
    };
    assert!(!Arc::ptr_eq(
        &at(&first, 0),
        &at(&Service::build(h2, Some(&first)).unwrap(), 0)
    ));
    let other = ServiceSpec {
        name: "other".into(),
        ..spec(&[1])
    };
    let other = Service::build(other, Some(&first)).unwrap();
    assert!(!Arc::ptr_eq(&first.usage, &other.usage));
}

#[test]
fn the_same_endpoint_twice_is_two() {
    let first = Service::build(spec(&[1, 1]), None).unwrap();
    assert!(!Arc::ptr_eq(&at(&first, 0), &at(&first, 1)));
    let second = Service::build(spec(&[1, 1, 2]), Some(&first)).unwrap();
    for index in 0..2 {
        assert!(Arc::ptr_eq(&at(&first, index), &at(&second, index)));
    }
}

#[test]
fn slots_are_used_again() {
    let first = Service::build(spec(&[1]), None).unwrap();
    let second = Service::build(spec(&[1]), None).unwrap();
    assert_ne!(first.slot(), second.slot());
    let slot = first.slot();
    drop(first);
    // Other tests of this process may take it first; somebody does.
    let later: Vec<_> = (0..64)
        .map(|_| Service::build(spec(&[1]), None).unwrap())
        .collect();
    assert!(
        later.iter().any(|service| service.slot() == slot)
            || later.iter().all(|service| service.slot() < 1000)
    );
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let mut wrong = spec(&[0, 1]);
    wrong.endpoints.push(EndpointSpec {
        host: EndpointHost::Name("no spaces".into()),
        ..wrong.endpoints[1].clone()
    });
    wrong.endpoints.push(EndpointSpec {
        host: EndpointHost::Ip("0.0.0.0".parse().unwrap()),
        ..wrong.endpoints[1].clone()
    });
    wrong.endpoints.push(EndpointSpec {
        host: EndpointHost::Unix("/".repeat(200).into()),
        ..wrong.endpoints[1].clone()
    });
    wrong.endpoints.push(EndpointSpec {
        weight: 70_000,
        ..wrong.endpoints[1].clone()
    });
    wrong.timeouts.connect = std::time::Duration::ZERO;
    wrong.limits.connections = Some(0);
    wrong.keep_alive.max_requests = 0;
    wrong.keep_alive.max_h2_per_worker = 0;
    wrong.resolve.min_ttl = std::time::Duration::from_secs(1000);
    let faults = Service::build(wrong, None).unwrap_err();
    let found: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.path.join("."), fault.message))
        .collect();
    assert_eq!(
        found,
        [
            "endpoints.0: port 0 can't be connected to",
            "endpoints.2: `no spaces` is not a host name",
            "endpoints.3: nothing can be reached at 0.0.0.0",
            "endpoints.4: the path of the socket has 200 bytes, and the system allows 107",
            "endpoints.5: the weight 70000 is above 65535",
            "timeout.connect: a time limit of 0 would fail every request",
            "limits.connections: with no connection allowed, every request would be refused",
            "keep_alive.max_requests: a connection carries at least 1 request",
            "keep_alive.max_h2_per_worker: HTTP/2 needs at least 1 connection",
            "resolve.min_ttl: `min_ttl` is longer than `max_ttl`",
        ]
    );
}

#[test]
fn a_service_needs_an_endpoint_with_a_weight() {
    let message = |spec| Service::build(spec, None).unwrap_err()[0].message.clone();
    assert_eq!(message(spec(&[])), "a service needs an endpoint");
    let mut drained = spec(&[1, 2]);
    drained
        .endpoints
        .iter_mut()
        .for_each(|endpoint| endpoint.weight = 0);
    assert_eq!(
        message(drained),
        "every endpoint has weight 0, so none would get a request"
    );
}

#[test]
fn bad_tls_files_are_faults() {
    let mut wrong = spec(&[1]);
    wrong.endpoints[0].scheme = Scheme::Https;
    wrong.tls = Some(lintel_tls::ClientSettings {
        roots: lintel_tls::Roots::File("/nowhere/ca.pem".into()),
        ..lintel_tls::ClientSettings::default()
    });
    let faults = Service::build(wrong, None).unwrap_err();
    assert_eq!(faults[0].path, ["tls"]);
    assert!(
        faults[0].message.starts_with("/nowhere/ca.pem: "),
        "{}",
        faults[0].message
    );
    assert!(faults[0].hint.is_some());
}

#[test]
fn endpoints_are_written_as_urls() {
    let endpoint = |scheme, host, port| {
        EndpointSpec {
            scheme,
            host,
            port,
            weight: 1,
            priority: 0,
            zone: None,
        }
        .to_string()
    };
    let ip = |text: &str| EndpointHost::Ip(text.parse().unwrap());
    assert_eq!(
        endpoint(Scheme::Http, ip("10.0.0.1"), 80),
        "http://10.0.0.1"
    );
    assert_eq!(
        endpoint(Scheme::Https, ip("::1"), 8443),
        "https://[::1]:8443"
    );
    assert_eq!(
        endpoint(Scheme::Https, EndpointHost::Name("a.b".into()), 443),
        "https://a.b"
    );
    assert_eq!(
        endpoint(Scheme::Http, EndpointHost::Unix("/run/a.sock".into()), 0),
        "http+unix:/run/a.sock"
    );
}

#[test]
fn status_shows_every_endpoint() {
    let mut drained = spec(&[1, 2]);
    drained.endpoints[1].weight = 0;
    let service = Service::build(drained, None).unwrap();
    let status = service.status();
    assert_eq!(status[0].state, EndpointState::Ready);
    assert_eq!(
        (status[0].endpoint.as_str(), status[0].addresses.as_slice()),
        ("http://10.0.0.1:1", &["10.0.0.1:1".to_owned()][..])
    );
    assert_eq!(
        (status[1].state.clone(), status[1].weight),
        (EndpointState::Drained, 0)
    );
}
