//! Going over to another configuration.

use std::{net::TcpListener, sync::Arc};

use lintel_server::{Bind, Limits, ListenerSpec, PublishError, Settings};

use crate::support::{Client, Gateway, Load, Origin, generation, rules, spec, wait_for};

#[test]
fn routes_change_for_new_requests_on_open_connections() {
    let origin = Origin::start();
    let listeners = [Arc::new(spec("public"))];
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "one", origin.address, &listeners),
    );
    let mut client = gateway.connect("public");
    assert_eq!(client.get("/own").body, "one");
    gateway
        .publish(&generation(2, "two", origin.address, &listeners))
        .unwrap();
    let answer = client.get("/own");
    assert_eq!((&*answer.body, answer.closes()), ("two", false));
    assert!(
        gateway
            .server
            .status()
            .iter()
            .all(|worker| worker.generation == 2)
    );
}

#[test]
fn listeners_come_and_go_under_load() {
    let origin = Origin::start();
    let public = Arc::new(spec("public"));
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "1", origin.address, &[Arc::clone(&public)]),
    );
    let load = Load::start(gateway.address("public"), 4);
    load.await_more(50);
    let mut gone = Vec::new();
    for round in 0..20_u64 {
        let extra = Arc::new(spec("extra"));
        let both = [Arc::clone(&public), extra];
        let own = (2 * round + 2).to_string();
        gateway
            .publish(&generation(2 * round + 2, &own, origin.address, &both))
            .unwrap();
        let mut client = gateway.connect("extra");
        assert_eq!(client.get("/own").body, own);
        let address = gateway.address("extra");
        gateway
            .publish(&generation(
                2 * round + 3,
                "gone",
                origin.address,
                &both[..1],
            ))
            .unwrap();
        let last = client.get("/own");
        assert_eq!((&*last.body, last.closes()), ("gone", true));
        gone.push(address);
    }
    load.await_more(50);
    assert_eq!(load.finish(), Vec::<String>::new());
    for address in gone {
        wait_for("the end of a listener", || {
            Client::try_connect(address).is_err()
        });
    }
    wait_for("the end of old configurations", || {
        gateway.server.generations() == [41]
    });
}

#[test]
fn a_place_that_is_taken_changes_nothing() {
    let origin = Origin::start();
    let public = Arc::new(spec("public"));
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "one", origin.address, &[Arc::clone(&public)]),
    );
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let fine = Arc::new(spec("fine"));
    let taken = ListenerSpec::new(
        vec![Bind::Tcp(foreign.local_addr().unwrap())],
        rules("taken"),
    );
    let next = generation(2, "two", origin.address, &[public, fine, Arc::new(taken)]);
    let Err(PublishError::Bind(errors)) = gateway.server.publish(&next) else {
        panic!("published")
    };
    assert_eq!(errors.len(), 1);
    assert_eq!(&*errors[0].listener, "taken");
    assert_eq!(gateway.connect("public").get("/own").body, "one");
    assert_eq!(gateway.server.addresses().len(), 1);
}

#[test]
fn two_listeners_in_one_place_are_refused() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let bind = Bind::Tcp("127.0.0.1:4711".parse().unwrap());
    let listener = |name| Arc::new(ListenerSpec::new(vec![bind.clone()], rules(name)));
    let next = generation(2, "two", origin.address, &[listener("a"), listener("b")]);
    let Err(PublishError::Conflict(conflict)) = gateway.server.publish(&next) else {
        panic!("published")
    };
    assert_eq!((&*conflict.first, &*conflict.second), ("a", "b"));
}

#[test]
fn new_limits_hold_for_new_connections_on_the_same_socket() {
    let origin = Origin::start();
    let listeners = [Arc::new(spec("public"))];
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "one", origin.address, &listeners),
    );
    let mut first = gateway.connect("public");
    first.get("/hello");
    let before = gateway.address("public");
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let tight = [Arc::new(ListenerSpec {
        limits,
        ..spec("public")
    })];
    gateway
        .publish(&generation(2, "two", origin.address, &tight))
        .unwrap();
    assert_eq!(gateway.address("public"), before);
    assert!(gateway.connect("public").is_closed());
    assert_eq!(first.get("/hello").status, 200);
}

#[test]
fn a_place_may_go_from_one_listener_to_another() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("a")]);
    let bind = Bind::Tcp(gateway.address("a"));
    drop(gateway);
    let listener = |name| [Arc::new(ListenerSpec::new(vec![bind.clone()], rules(name)))];
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "one", origin.address, &listener("a")),
    );
    let load = Load::start(gateway.address("a"), 3);
    load.await_more(30);
    let applied = gateway
        .server
        .publish(&generation(2, "two", origin.address, &listener("b")))
        .unwrap();
    assert!(
        applied.opened.is_empty() && applied.closed.is_empty(),
        "{applied:?}"
    );
    load.await_more(30);
    assert_eq!(load.finish(), Vec::<String>::new());
    assert!(gateway.metric("lintel_connections_total", "\"b\"") > 0.0);
}

#[test]
fn a_place_may_become_narrower() {
    let origin = Origin::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let listener = |ip: &str| {
        let bind = Bind::Tcp(format!("{ip}:{port}").parse().unwrap());
        [Arc::new(ListenerSpec::new(vec![bind], rules("public")))]
    };
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "one", origin.address, &listener("0.0.0.0")),
    );
    gateway
        .publish(&generation(
            2,
            "two",
            origin.address,
            &listener("127.0.0.1"),
        ))
        .unwrap();
    assert_eq!(gateway.connect("public").get("/own").body, "two");
}

#[test]
fn a_request_ends_on_the_configuration_it_began_with() {
    let origin = Origin::start();
    let listeners = [Arc::new(spec("public"))];
    let gateway = Gateway::with(
        Settings::default(),
        generation(1, "one", origin.address, &listeners),
    );
    let mut client = gateway.connect("public");
    client
        .send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    wait_for("the request", || origin.held() == 1);
    gateway
        .publish(&generation(2, "two", origin.address, &listeners))
        .unwrap();
    assert_eq!(gateway.server.generations(), [1, 2]);
    origin.release();
    let answer = client.answer().unwrap();
    assert_eq!((&*answer.body, answer.closes()), ("held", false));
    wait_for("the end of the first configuration", || {
        gateway.server.generations() == [2]
    });
}
