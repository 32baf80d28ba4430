//! WebSockets between a client and a server that others wrote: websockets for Python.

use crate::support::{Authority, Gateway, Peer, on_listener, to_url};

#[test]
fn text_and_binary_messages_and_fragments() {
    Chat::start().run("messages");
}

#[test]
fn pings_are_answered_from_end_to_end() {
    Chat::start().run("pings");
}

#[test]
fn messages_of_a_mebibyte() {
    Chat::start().run("large");
}

#[test]
fn close_codes_pass_both_ways() {
    let chat = Chat::start();
    chat.run("close_codes");
    chat.server.until_said("closed 4321 enough");
}

#[test]
fn an_upstream_that_dies_is_seen_as_1006_and_nobody_there_as_502() {
    let chat = Chat::start();
    chat.run("dies");
    chat.run("refused");
}

#[test]
fn the_same_over_tls() {
    let authority = Authority::new();
    let server = Peer::start("websocket_server.py", &[]);
    let yaml = on_listener(&to_server(&server, ""), &authority.listener());
    let gateway = Gateway::start(&yaml);
    let url = format!("wss://localhost:{}", gateway.public().port());
    for scenario in ["messages", "pings", "large", "close_codes"] {
        Peer::run("websocket_client.py", &[scenario, &url, &authority.ca()]);
    }
}

#[test]
fn an_open_connection_outlives_reloads() {
    let chat = Chat::start();
    let mut client = Peer::start("websocket_client.py", &["waiting", &chat.url()]);
    for round in 1..=10 {
        client.tell(&format!("round {round}"));
        client.until_said(&format!("echoed round {round}"));
        let yaml = to_server(&chat.server, &format!("timeout: {round}s"));
        chat.gateway.write(&yaml);
        assert_eq!(chat.gateway.reload().status.code(), Some(0));
    }
    client.tell("the end");
    client.until_said("echoed the end");
    client.ends_well();
}

/// A server behind a gateway.
struct Chat {
    server: Peer,
    gateway: Gateway,
}

impl Chat {
    fn start() -> Self {
        let server = Peer::start("websocket_server.py", &[]);
        Self {
            gateway: Gateway::start_unwatched(&to_server(&server, "")),
            server,
        }
    }

    fn url(&self) -> String {
        format!("ws://{}", self.gateway.public())
    }

    /// Runs a scenario of the client.
    fn run(&self, scenario: &str) {
        Peer::run("websocket_client.py", &[scenario, &self.url()]);
    }
}

fn to_server(server: &Peer, more: &str) -> String {
    to_url(&format!("http://127.0.0.1:{}", server.port()), more)
}
