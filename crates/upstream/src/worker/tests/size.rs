//! What a request and a service cost in memory.

use std::{mem::size_of_val, sync::Arc};

use http::Method;
use lintel_http::Body;
use lintel_http1::{Timer, client::Conn};
use lintel_telemetry::Catalogue;
use lintel_tls::Stream;

use super::{call, head, spec, worker};
use crate::{
    Pools,
    service::{EndpointSpec, Service, ServiceSpec},
};

#[test]
fn the_future_of_a_request_stays_small() {
    worker(async {
        let pools = Pools::new(0, Catalogue::new().worker());
        let service = Service::build(spec(&["127.0.0.1:1".parse().unwrap()]), None).unwrap();
        let (timer, mut head) = (Timer::new(), head(Method::GET, "/"));
        let sending = pools.send(&service, call(&mut head, Body::empty(), &timer));
        let size = size_of_val(&sending);
        println!("send: {size} bytes");
        assert!(size <= 2048, "{size} bytes");
    });
}

#[test]
fn idle_connections_can_change_threads() {
    const fn is_send<T: Send>() {}
    is_send::<Conn<Stream>>();
    is_send::<Arc<Service>>();
    const fn is_sync<T: Sync>() {}
    is_sync::<Service>();
}

#[test]
fn thousands_of_idle_services_are_cheap() {
    let address = |index: u16| std::net::SocketAddr::from(([10, 1, 2, 3], index));
    let before = resident();
    let services: Vec<_> = (1..=2500)
        .map(|index| {
            let endpoints = [index, index + 3000].map(|port| EndpointSpec::http(address(port)));
            Service::build(
                ServiceSpec::new(format!("service-{index}"), endpoints.to_vec()),
                None,
            )
            .unwrap()
        })
        .collect();
    let grown = resident() - before;
    assert_eq!(services.len(), 2500);
    println!("2,500 idle services: {} KiB", grown / 1024);
    assert!(grown < 20 * 1024 * 1024, "{} KiB", grown / 1024);
}

/// Bytes of resident memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
