//! Draining breaks no request.

use std::{sync::Arc, thread, time::Duration};

use lintel_server::PublishError;

use crate::support::{Client, Gateway, Load, Origin, Raw, generation, spec, wait_for};

/// Far longer than any drain here takes.
const LONG: Option<Duration> = Some(Duration::from_secs(120));

#[test]
fn no_request_fails_while_load_goes_on() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let load = Load::start(gateway.address("public"), 6);
    load.await_more(300);
    load.may_refuse();
    let report = gateway.server.drain(LONG);
    assert_eq!((report.connections_cut, report.requests_cut), (0, 0));
    assert_eq!(load.finish(), Vec::<String>::new());
}

#[test]
fn a_request_in_flight_is_answered_and_then_the_connection_closed() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    client
        .send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    wait_for("the request", || origin.held() == 1);
    let report = thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.server.drain(LONG));
        wait_for("the drain", || gateway.server.is_draining());
        origin.release();
        let answer = client.answer().unwrap();
        assert_eq!(
            (answer.status, &*answer.body, answer.closes()),
            (200, "held", true)
        );
        draining.join().unwrap()
    });
    assert!(report.is_clean());
    assert!(client.is_closed());
}

#[test]
fn an_idle_connection_may_still_ask_once() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut active = gateway.connect("public");
    active.get("/hello");
    let address = gateway.address("public");
    thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.server.drain(LONG));
        wait_for("the drain", || gateway.server.is_draining());
        wait_for("answers that close", || {
            active
                .try_get("/own")
                .map_or(true, |answer| answer.closes())
        });
        assert!(active.is_closed());
        assert_eq!(draining.join().unwrap().connections_cut, 0);
    });
    assert!(Client::try_connect(address).is_err());
}

#[test]
fn what_does_not_end_is_cut_off() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    client
        .send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    wait_for("the request", || origin.held() == 1);
    let report = gateway.server.drain(Some(Duration::from_millis(50)));
    assert_eq!((report.connections_cut, report.requests_cut), (1, 1));
    assert!(client.is_closed());
}

#[test]
fn http2_streams_are_finished_after_a_goaway() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/held", true);
    wait_for("the request", || origin.held() == 1);
    thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.server.drain(LONG));
        let goaway = raw.find(7).unwrap();
        assert_eq!(goaway.code(), 0);
        let ping = raw.find(6).unwrap();
        raw.send(6, 1, 0, &ping.payload);
        origin.release();
        let data = raw.find(0).unwrap();
        assert_eq!((data.stream, &*data.payload), (1, &b"held"[..]));
        assert!(draining.join().unwrap().is_clean());
    });
}

#[test]
fn a_tunnel_lasts_to_the_timeout() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    client
        .send(
            "GET /switch HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
        )
        .unwrap();
    assert_eq!(client.answer().unwrap().status, 101);
    thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.server.drain(LONG));
        wait_for("the drain", || gateway.server.is_draining());
        client.send("still here").unwrap();
        client.expect("still here");
        let cut = gateway.server.drain(Some(Duration::ZERO));
        assert_eq!(cut.requests_cut, 1);
        draining.join().unwrap();
    });
    assert!(client.is_closed());
}

#[test]
fn a_draining_server_takes_no_configuration() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    gateway.server.drain(LONG);
    let next = generation(2, "two", origin.address, &[Arc::new(spec("public"))]);
    assert!(matches!(
        gateway.publish(&next),
        Err(PublishError::Draining)
    ));
}
