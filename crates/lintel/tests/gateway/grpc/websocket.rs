//! Streams of gRPC calls over WebSocket, between a client and a service that others wrote:
//! websockets and grpcio for Python.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use lintel_testkit::{Origin, until};

use crate::support::{Gateway, Peer, with_routes};

struct Calls {
    server: Peer,
    gateway: Gateway,
}

fn protos() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/protos");
    folder.display().to_string()
}

fn configuration(url: &str, websocket: &str) -> String {
    let protos = protos();
    with_routes(&format!(
        "services: {{ library: {{ endpoints: [\"{url}\"], protocol: grpc, descriptors: [\"{protos}/library.proto\"] }} }}\n\
         routes:\n  library:\n    match: {{ path: \"/*\" }}\n    timeout: 5s\n    \
         policies: {{ access_log: {{ to: stdout }} }}\n    \
         to: {{ grpc: {{ service: library, websocket: {{ {websocket} }} }} }}"
    ))
}

impl Calls {
    fn start(websocket: &str) -> Self {
        let server = Peer::start("library_server.py", &[&protos()]);
        let url = format!("http://127.0.0.1:{}", server.port());
        let gateway = Gateway::start_unwatched(&configuration(&url, websocket));
        Self { server, gateway }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.gateway.public())
    }

    fn run(&self, scenario: &str) {
        Peer::run("websocket_calls.py", &[scenario, &self.url()]);
    }

    fn client(&self, scenario: &str) -> Peer {
        Peer::start("websocket_calls.py", &[scenario, &self.url()])
    }

    fn logged(&self, text: &str) {
        until(text, || self.gateway.stdout().contains(text).then_some(()));
    }
}

#[test]
fn messages_pass_both_ways_when_they_are_sent() {
    let calls = Calls::start("");
    for scenario in ["both_ways", "from_the_service", "to_the_service"] {
        calls.run(scenario);
    }
    calls.logged("\"status\":101");
}

#[test]
fn the_status_of_a_call_is_the_close_code() {
    let calls = Calls::start("");
    calls.run("failures");
    calls.run("mistakes");
}

#[test]
fn only_pages_that_are_welcome_open_them() {
    Calls::start("").run("handshakes");
    Calls::start("origins: [\"http://127.0.0.1:1\"]").run("handshakes");
}

#[test]
fn a_client_that_leaves_or_vanishes_cancels_its_call() {
    for scenario in ["leaves", "vanishes"] {
        let calls = Calls::start("");
        let mut client = calls.client(scenario);
        calls.server.until_said("waiting");
        client.tell("go");
        client.ends_well();
        calls.server.until_said("cancelled");
        calls.logged("client_gone");
    }
}

#[test]
fn a_call_may_last_so_long() {
    let calls = Calls::start("max_duration: 500ms");
    calls.run("late");
    calls.server.until_said("cancelled");
}

#[test]
fn a_service_that_is_not_there_is_told() {
    let gateway = Gateway::start_unwatched(&configuration(&Origin::nobody(), ""));
    let url = format!("ws://{}", gateway.public());
    Peer::run("websocket_calls.py", &["nobody", &url]);
}

/// The 30 MB of the service do not fit into the sockets between.
#[test]
fn a_client_that_does_not_read_holds_the_service_back() {
    let calls = Calls::start("");
    let mut client = calls.client("slow_reader");
    calls.server.until_said("sent 1");
    let mut last = (0, Instant::now());
    let stands = until("the service is held back", || {
        let sent = calls.server.count("sent ");
        if sent != last.0 {
            last = (sent, Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(500)).then_some(sent)
    });
    assert!(stands < 3_000, "{stands}");
    client.tell("go on");
    client.ends_well();
}
