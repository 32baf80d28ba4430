//! HTTP/2 connections and streams.

use std::time::Duration;

use lintel_http1::server::Options;
use lintel_server::{H2Limits, ListenerSpec};

use crate::support::{Gateway, Origin, Raw, frames::*, spec, wait_for};

const END_STREAM: u8 = 1;
const INTERNAL_ERROR: u32 = 2;
const CANCEL: u32 = 8;
const INITIAL_WINDOW_SIZE: u16 = 4;

fn with(http1: Options) -> Vec<ListenerSpec> {
    vec![ListenerSpec {
        http1,
        ..spec("public")
    }]
}

fn short() -> Duration {
    Duration::from_millis(100)
}

#[test]
fn streams_are_served_side_by_side() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/held", true);
    wait_for("the first request", || origin.held() == 1);
    raw.request(3, "GET", "/hello", true);
    assert_eq!(raw.find(DATA).unwrap().stream, 3);
    origin.release();
    let data = raw.find(DATA).unwrap();
    assert_eq!((data.stream, &*data.payload), (1, &b"held"[..]));
}

#[test]
fn a_stream_that_the_client_resets_cancels_its_request() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/held", true);
    wait_for("the request", || origin.held() == 1);
    raw.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes());
    wait_for("the request to be cancelled", || {
        let status = gateway.server.status();
        status.iter().all(|worker| worker.active == 0)
    });
    // The others on the connection go on.
    raw.request(3, "GET", "/hello", true);
    assert_eq!(raw.find(DATA).unwrap().stream, 3);
}

#[test]
fn an_answer_to_head_has_no_body() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "HEAD", "/own", true);
    let head = raw.find(HEADERS).unwrap();
    assert_eq!(head.flags & END_STREAM, END_STREAM);
}

#[test]
fn a_body_in_pieces_reaches_the_origin() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "POST", "/length", false);
    raw.send(DATA, 0, 1, &[b'x'; 1000]);
    raw.send(DATA, END_STREAM, 1, &[b'x'; 234]);
    assert_eq!(raw.find(DATA).unwrap().payload, b"1234");
}

#[test]
fn an_answer_that_breaks_off_resets_its_stream_alone() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/broken", true);
    let reset = raw.find(RST_STREAM).unwrap();
    assert_eq!((reset.stream, reset.code()), (1, INTERNAL_ERROR));
    raw.request(3, "GET", "/hello", true);
    assert_eq!(raw.find(DATA).unwrap().stream, 3);
}

#[test]
fn two_hosts_are_refused() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    // RFC 7541 §6.1: :method GET, :scheme http, :path /; then :authority and `host` by literals.
    let block = [
        &[0x82, 0x86, 0x84, 0x41, 6][..],
        b"a.test",
        &[0x66, 6],
        b"b.test",
    ]
    .concat();
    raw.send(HEADERS, 4 | END_STREAM, 1, &block);
    let problem = String::from_utf8(raw.find(DATA).unwrap().payload).unwrap();
    assert!(problem.contains("\"code\":\"host_conflict\""), "{problem}");
    gateway.await_metric("lintel_malformed_requests_total", "host_conflict", 1.0);
    gateway.await_metric("lintel_requests_total", "status=\"400\"", 1.0);
    gateway.await_metric("lintel_rejections_total", "host_conflict", 1.0);
}

#[test]
fn the_last_request_of_a_connection_is_followed_by_goaway() {
    let origin = Origin::start();
    let gateway = Gateway::start(
        origin.address,
        with(Options {
            max_requests: 2,
            ..Options::default()
        }),
    );
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/hello", true);
    assert_eq!(raw.find(DATA).unwrap().stream, 1);
    raw.request(3, "GET", "/hello", true);
    assert_eq!(raw.find(GOAWAY).unwrap().code(), 0);
}

#[test]
fn an_idle_connection_is_ended_with_goaway() {
    let origin = Origin::start();
    let gateway = Gateway::start(
        origin.address,
        with(Options {
            idle_timeout: short(),
            ..Options::default()
        }),
    );
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/hello", true);
    assert_eq!(raw.find(GOAWAY).unwrap().code(), 0);
    let ping = raw.find(PING).unwrap();
    raw.send(PING, 1, 0, &ping.payload);
    assert!(raw.find(DATA).is_none());
}

#[test]
fn a_connection_that_never_begins_is_closed() {
    let origin = Origin::start();
    let mut listeners = with(Options {
        header_timeout: short(),
        ..Options::default()
    });
    listeners[0].protocols.http1 = false;
    let gateway = Gateway::start(origin.address, listeners);
    let mut client = gateway.connect("public");
    client.send("PRI * HT").unwrap();
    // Its own SETTINGS are all that the server sends.
    while !client.is_closed() {
        client.discard();
    }
}

#[test]
fn a_body_that_stalls_is_answered_408() {
    let origin = Origin::start();
    let gateway = Gateway::start(
        origin.address,
        with(Options {
            body_idle_timeout: short(),
            ..Options::default()
        }),
    );
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "POST", "/length", false);
    raw.send(DATA, 0, 1, b"half");
    let problem = String::from_utf8(raw.find(DATA).unwrap().payload).unwrap();
    assert!(problem.contains("\"status\":408"), "{problem}");
}

#[test]
fn a_client_that_takes_nothing_loses_its_stream() {
    let origin = Origin::start();
    let mut listeners = with(Options {
        write_timeout: short(),
        ..Options::default()
    });
    listeners[0].h2 = H2Limits {
        max_send_buffer: 16 * 1024,
        ..H2Limits::default()
    };
    let gateway = Gateway::start(origin.address, listeners);
    let mut raw = Raw::connect(gateway.address("public"), &[(INITIAL_WINDOW_SIZE, 1000)]);
    raw.request(1, "GET", "/big", true);
    let reset = raw.find(RST_STREAM).unwrap();
    assert_eq!((reset.stream, reset.code()), (1, CANCEL));
    wait_for("the end of the request", || {
        gateway
            .server
            .status()
            .iter()
            .all(|worker| worker.active == 0)
    });
}
