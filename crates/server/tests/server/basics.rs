//! Connections of every kind are served.

use std::sync::Arc;

use lintel_server::{Bind, ListenerSpec, Protocols};

use crate::support::{Client, Gateway, Origin, Raw, rules, spec, wait_for};

#[test]
fn a_connection_is_kept_for_further_requests() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    for _ in 0..3 {
        let answer = client.get("/hello");
        assert_eq!(
            (answer.status, &*answer.body, answer.closes()),
            (200, "hello", false)
        );
    }
    assert_eq!(client.get("/own").body, "one");
    gateway.await_metric("lintel_connections_total", "public", 1.0);
    assert_eq!(gateway.connections(), 1);
    drop(client);
    wait_for("the end of the connection", || gateway.connections() == 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client
        .send([ask("/own"), ask("/hello"), ask("/own")].concat())
        .unwrap();
    let bodies: Vec<_> = (0..3).map(|_| client.answer().unwrap().body).collect();
    assert_eq!(bodies, ["one", "hello", "one"]);
}

#[test]
fn bodies_go_both_ways() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    let body = vec![b'y'; 3 << 20];
    client
        .send(format!(
            "POST /length HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ))
        .unwrap();
    client.send(&body).unwrap();
    assert_eq!(client.answer().unwrap().body, body.len().to_string());
    assert_eq!(client.get("/big").body.len(), 8 << 20);
}

#[test]
fn a_switch_of_protocols_becomes_a_tunnel() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    client.send("GET /switch HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst").unwrap();
    assert_eq!(client.answer().unwrap().status, 101);
    client.expect("first");
    client.send("second").unwrap();
    client.expect("second");
    assert_eq!(
        gateway
            .server
            .status()
            .iter()
            .map(|worker| worker.active)
            .sum::<usize>(),
        1
    );
}

#[test]
fn a_malformed_request_is_answered_and_counted() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    client.send("GET /hello HTTP/1.1\r\n\r\n").unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.closes()), (400, true));
    assert!(
        answer.head.contains("application/problem+json"),
        "{answer:?}"
    );
    assert!(client.is_closed());
    gateway.await_metric("lintel_malformed_requests_total", "bad_request", 1.0);
}

#[test]
fn http2_is_known_by_its_preface() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/hello", true);
    let data = raw.find(0).unwrap();
    assert_eq!((data.stream, &*data.payload), (1, &b"hello"[..]));
}

#[test]
fn a_version_that_is_not_offered_is_refused() {
    let origin = Origin::start();
    let only = |name: &str, http1, h2| {
        let protocols = Protocols { http1, h2 };
        ListenerSpec {
            protocols,
            ..spec(name)
        }
    };
    let gateway = Gateway::start(
        origin.address,
        vec![only("h1", true, false), only("h2", false, true)],
    );
    let mut raw = Raw::connect(gateway.address("h1"), &[]);
    assert!(raw.next().is_none());
    gateway.await_metric("lintel_malformed_requests_total", "h2_not_offered", 1.0);
    let mut raw = Raw::connect(gateway.address("h2"), &[]);
    raw.request(1, "GET", "/hello", true);
    assert_eq!(raw.find(0).unwrap().payload, b"hello");
    let mut client = gateway.connect("h2");
    assert!(client.try_get("/hello").is_err());
}

#[test]
fn a_unix_socket_is_a_listener_too() {
    let origin = Origin::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("public.sock");
    let bind = Bind::Unix {
        path: path.clone(),
        mode: Some(0o660),
    };
    let gateway = Gateway::start(
        origin.address,
        vec![ListenerSpec::new(vec![bind], rules("public"))],
    );
    assert_eq!(Client::connect_unix(&path).get("/hello").body, "hello");
    drop(gateway);
    assert!(!path.exists());
}

#[test]
fn a_dual_stack_listener_shows_ipv4_clients_as_such() {
    let origin = Origin::start();
    let bind = Bind::Tcp("[::]:0".parse().unwrap());
    let gateway = Gateway::start(
        origin.address,
        vec![ListenerSpec::new(vec![bind], rules("public"))],
    );
    let port = gateway.address("public").port();
    let head = |host: &str| {
        Client::connect(format!("{host}:{port}").parse().unwrap())
            .get("/head")
            .body
            .to_lowercase()
    };
    let v4 = head("127.0.0.1");
    assert!(v4.contains("x-forwarded-for: 127.0.0.1\r\n"), "{v4}");
    let v6 = head("[::1]");
    assert!(v6.contains("x-forwarded-for: ::1\r\n"), "{v6}");
}

#[test]
fn one_listener_may_listen_in_several_places() {
    let origin = Origin::start();
    let binds = vec![crate::support::tcp(), crate::support::tcp()];
    let gateway = Gateway::start(
        origin.address,
        vec![ListenerSpec::new(binds, rules("public"))],
    );
    let addresses = gateway.server.addresses();
    assert_eq!(addresses.len(), 2);
    for (name, address) in addresses {
        assert_eq!(&*name, "public");
        assert_eq!(Client::connect(address).get("/hello").status, 200);
    }
}

#[test]
fn a_place_that_is_taken_is_named_with_the_reason() {
    let origin = Origin::start();
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = Bind::Tcp(foreign.local_addr().unwrap());
    let listener = Arc::new(ListenerSpec::new(vec![bind.clone()], rules("public")));
    let first = crate::support::generation(1, "one", origin.address, &[Arc::clone(&listener)]);
    let settings = lintel_server::Settings::default();
    let error = lintel_server::Server::start(settings, first, &lintel_telemetry::Catalogue::new())
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("listener `public` can't listen on {bind}")),
        "{text}"
    );
    assert!(text.contains("another process listens there"), "{text}");
}
