//! What services cost that nobody sends to. Alone in its process, so that nothing else moves the
//! figure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::net::SocketAddr;

use lintel_upstream::{
    Service, ServiceSpec,
    service::{EndpointSpec, Scheme},
};

const SERVICES: u16 = 2500;
const LIMIT: usize = 20 * 1024 * 1024;

/// Bytes of resident memory (proc_pid_statm(5)).
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn thousands_of_idle_services_are_cheap() {
    let before = resident();
    let services: Vec<_> = (1..=SERVICES)
        .map(|index| {
            let at = |port| EndpointSpec::http(SocketAddr::from(([10, 1, 2, 3], port)));
            let tls = EndpointSpec {
                scheme: Scheme::Https,
                ..at(index + 2 * SERVICES)
            };
            let endpoints = vec![at(index), at(index + SERVICES), tls];
            Service::build(
                ServiceSpec::new(format!("service-{index}"), endpoints),
                None,
            )
            .unwrap()
        })
        .collect();
    let grown = resident().saturating_sub(before);
    println!("{} idle services: {} KiB", services.len(), grown / 1024);
    assert!(grown < LIMIT, "{} KiB", grown / 1024);
}
