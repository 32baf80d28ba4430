//! Connections are held to limits, and to the PROXY protocol where it is declared.

use lintel_server::{Limits, ListenerSpec};

use crate::support::{Client, Gateway, Origin, spec, wait_for};

fn limited(limits: Limits) -> Vec<ListenerSpec> {
    vec![ListenerSpec {
        limits,
        ..spec("public")
    }]
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let origin = Origin::start();
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let gateway = Gateway::start(origin.address, limited(limits));
    let mut open: Vec<_> = (0..2).map(|_| gateway.connect("public")).collect();
    open.iter_mut()
        .for_each(|client| assert_eq!(client.get("/hello").status, 200));
    assert!(gateway.connect("public").is_closed());
    gateway.await_metric(
        "lintel_connections_refused_total",
        "\"connection_limit\"",
        1.0,
    );
    open.pop();
    wait_for("room", || gateway.connections() == 1);
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
    assert_eq!(open[0].get("/hello").status, 200);
}

#[test]
fn one_client_can_not_take_all_connections() {
    let origin = Origin::start();
    let limits = Limits {
        connections_per_client: 1,
        ..Limits::default()
    };
    let gateway = Gateway::start(origin.address, limited(limits.clone()));
    let mut first = gateway.connect("public");
    assert_eq!(first.get("/hello").status, 200);
    assert!(gateway.connect("public").is_closed());
    gateway.await_metric(
        "lintel_connections_refused_total",
        "client_connection_limit",
        1.0,
    );

    let limits = Limits {
        uncounted: vec!["127.0.0.0/8".parse().unwrap()],
        ..limits
    };
    let gateway = Gateway::start(origin.address, limited(limits));
    let mut both = [gateway.connect("public"), gateway.connect("public")];
    both.iter_mut()
        .for_each(|client| assert_eq!(client.get("/hello").status, 200));
}

fn behind_proxy(sources: &[&str]) -> Vec<ListenerSpec> {
    let sources = sources
        .iter()
        .map(|source| source.parse().unwrap())
        .collect();
    vec![ListenerSpec {
        proxy_protocol: Some(sources),
        ..spec("public")
    }]
}

#[test]
fn a_declared_proxy_tells_who_the_client_is() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, behind_proxy(&["127.0.0.1/32"]));
    let mut client = gateway.connect("public");
    client
        .send("PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n")
        .unwrap();
    let head = client.get("/head").body.to_lowercase();
    assert!(head.contains("x-forwarded-for: 203.0.113.9\r\n"), "{head}");

    let mut client = gateway.connect("public");
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    header.extend([203, 0, 113, 10, 127, 0, 0, 1, 0x12, 0x67, 0, 80]);
    client.send(&header).unwrap();
    let head = client.get("/head").body.to_lowercase();
    assert!(head.contains("x-forwarded-for: 203.0.113.10\r\n"), "{head}");
}

#[test]
fn a_declared_proxy_must_send_the_header() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, behind_proxy(&["127.0.0.1/32"]));
    let mut client = gateway.connect("public");
    client
        .send("GET /hello HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    assert!(client.is_closed());
    gateway.await_metric("lintel_connections_refused_total", "proxy_protocol", 1.0);
}

#[test]
fn nobody_else_may_send_one() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, behind_proxy(&["10.0.0.0/8"]));
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
    let mut client = gateway.connect("public");
    client
        .send("PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(client.answer().unwrap().status, 400);
}

#[test]
fn the_limit_for_a_client_counts_clients_and_not_proxies() {
    let origin = Origin::start();
    let mut listeners = behind_proxy(&["127.0.0.1/32"]);
    listeners[0].limits.connections_per_client = 1;
    let gateway = Gateway::start(origin.address, listeners);
    let connect = |client: &str| {
        let mut connection = gateway.connect("public");
        connection
            .send(format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n"))
            .unwrap();
        connection
    };
    let works = |client: &mut Client| {
        client
            .try_get("/hello")
            .is_ok_and(|answer| answer.status == 200)
    };
    let mut a = connect("203.0.113.1");
    let mut b = connect("203.0.113.2");
    assert!(works(&mut a) && works(&mut b));
    assert!(connect("203.0.113.1").is_closed());
    assert!(works(&mut a));
}
