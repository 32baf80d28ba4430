//! gRPC between a client and a server that others wrote: grpcio for Python.

mod from_rest;
mod reflection;
mod to_rest;
mod transcoding;
mod websocket;

use lintel_testkit::Origin;

use crate::support::{Authority, Gateway, Peer, with_routes};

#[test]
fn unary_calls() {
    Probe::plaintext().run("unary");
}

#[test]
fn metadata_passes_both_ways_binary_included() {
    Probe::plaintext().run("metadata");
}

#[test]
fn streams_of_the_server() {
    Probe::plaintext().run("server_streaming");
}

#[test]
fn streams_of_the_client() {
    Probe::plaintext().run("client_streaming");
}

#[test]
fn streams_in_both_directions_message_by_message() {
    Probe::plaintext().run("bidirectional");
}

#[test]
fn the_server_learns_of_the_deadline() {
    let probe = Probe::plaintext();
    probe.run("deadline");
    probe.server.until_said("cancelled");
}

#[test]
fn a_cancelled_call_is_cancelled_at_the_server() {
    let probe = Probe::plaintext();
    probe.run("cancellation");
    probe.server.until_said("cancelled");
}

#[test]
fn messages_of_eight_mebibytes() {
    Probe::plaintext().run("large");
}

#[test]
fn compressed_messages() {
    Probe::plaintext().run("compression");
}

#[test]
fn errors_keep_their_code_message_and_trailers() {
    let probe = Probe::plaintext();
    probe.run("errors");
    probe.run("unknown_method");
}

#[test]
fn what_the_gateway_refuses_has_a_status_of_grpc() {
    let probe = Probe::plaintext();
    probe.run("refusals");
    // The route's time was up, and the server does not work on for nobody.
    probe.server.until_said("cancelled");
}

#[test]
fn a_service_that_is_down_is_unavailable() {
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ probe: {{ endpoints: [\"{}\"], protocol: grpc }} }}\n\
         routes: {{ probe: {{ match: {{ path: \"/*\" }}, to: probe }} }}",
        Origin::nobody()
    )));
    let port = gateway.public().port().to_string();
    Peer::run("grpc_client.py", &["unavailable", &port]);
}

#[test]
fn the_same_over_tls_on_both_sides() {
    let probe = Probe::secured();
    for scenario in [
        "unary",
        "metadata",
        "server_streaming",
        "client_streaming",
        "bidirectional",
        "large",
        "errors",
        "refusals",
    ] {
        probe.run(scenario);
    }
}

/// A server behind a gateway.
struct Probe {
    server: Peer,
    gateway: Gateway,
    authority: Option<Authority>,
}

impl Probe {
    fn plaintext() -> Self {
        let server = Peer::start("grpc_server.py", &[]);
        let url = format!("http://127.0.0.1:{}", server.port());
        Self {
            gateway: Gateway::start(&configuration(&url, "")),
            server,
            authority: None,
        }
    }

    fn secured() -> Self {
        let authority = Authority::new();
        let (cert, key) = authority.issue("probe.test");
        let server = Peer::start("grpc_server.py", &[&cert, &key]);
        let url = format!("https://127.0.0.1:{}", server.port());
        let tls = format!("ca: {}, server_name: probe.test", authority.ca());
        let yaml = configuration(&url, &format!("tls: {{ {tls} }}"));
        let plain = "public: { bind: 127.0.0.1:0";
        let yaml = yaml.replace(plain, &format!("{plain}, {}", authority.listener()));
        Self {
            gateway: Gateway::start(&yaml),
            server,
            authority: Some(authority),
        }
    }

    /// Runs a scenario of the client.
    fn run(&self, scenario: &str) {
        let port = self.gateway.public().port().to_string();
        let ca = self.authority.as_ref().map(Authority::ca);
        let arguments: Vec<&str> = [scenario, &port].into_iter().chain(ca.as_deref()).collect();
        Peer::run("grpc_client.py", &arguments);
    }
}

/// All methods of the probe, and a route whose time is soon up.
fn configuration(url: &str, more: &str) -> String {
    with_routes(&format!(
        "services: {{ probe: {{ endpoints: [\"{url}\"], protocol: grpc, {more} }} }}\n\
         routes:\n  probe:\n    match: {{ path: \"/probe.Probe/*\" }}\n    policies:\n      headers:\n        \
         response: {{ set: {{ Came-As: '${{request.headers[\"grpc-encoding\"]}}' }} }}\n    to: probe\n  \
         slow:\n    match: {{ path: \"/slow.Slow/*\" }}\n    timeout: 300ms\n    \
         policies: {{ rewrite: {{ path: /probe.Probe/Hang }} }}\n    to: probe"
    ))
}
