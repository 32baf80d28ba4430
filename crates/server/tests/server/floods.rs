//! Floods of HTTP/2 frames end the connection, and nothing else.

use std::thread;

use crate::support::{Gateway, Origin, Raw, frames::*, spec};

/// Sends frames until the connection ends; gives the error code of its GOAWAY, if there was one, and
/// the number of frames sent.
fn flood(
    gateway: &Gateway,
    mut frame: impl FnMut(&mut Raw, u32) -> bool + Send,
) -> (Option<u32>, u32) {
    const ENOUGH: u32 = 2_000_000;
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    let mut reader = raw.split();
    thread::scope(|scope| {
        let sent = scope.spawn(move || (0..ENOUGH).find(|count| !frame(&mut raw, *count)));
        let goaway = reader.find(GOAWAY).map(|goaway| goaway.code());
        while reader.next().is_some() {}
        let sent = sent.join().unwrap();
        (goaway, sent.expect("the flood was never stopped"))
    })
}

fn start() -> (Origin, Gateway) {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    (origin, gateway)
}

fn serves_on(gateway: &Gateway, counted: &str) {
    gateway.await_metric("lintel_malformed_requests_total", counted, 1.0);
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
}

#[test]
fn pings() {
    let (_origin, gateway) = start();
    flood(&gateway, |raw, _| raw.send(PING, 0, 0, &[0; 8]));
    serves_on(&gateway, "h2_ping_flood");
}

#[test]
fn settings() {
    let (_origin, gateway) = start();
    flood(&gateway, |raw, _| raw.send(SETTINGS, 0, 0, &[]));
    serves_on(&gateway, "h2_settings_flood");
}

#[test]
fn priorities() {
    let (_origin, gateway) = start();
    flood(&gateway, |raw, _| {
        raw.send(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])
    });
    serves_on(&gateway, "h2_priority_flood");
}

#[test]
fn window_updates() {
    let (_origin, gateway) = start();
    flood(&gateway, |raw, _| {
        raw.send(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
    });
    serves_on(&gateway, "h2_frame_flood");
}

#[test]
fn empty_data() {
    let (origin, gateway) = start();
    flood(&gateway, |raw, count| match count {
        0 => raw.request(1, "POST", "/held", false),
        _ => raw.send(DATA, 0, 1, &[]),
    });
    serves_on(&gateway, "h2_empty_data_flood");
    origin.release();
}

/// CVE-2023-44487: requests that are reset as soon as they are sent.
#[test]
fn rapid_resets() {
    let (_origin, gateway) = start();
    flood(&gateway, |raw, count| {
        let stream = 2 * count + 1;
        raw.request(stream, "GET", "/held", true)
            && raw.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
    });
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
    assert!(
        gateway
            .server
            .status()
            .iter()
            .all(|worker| worker.active == 0)
    );
}

const CANCEL: u32 = 8;

/// CVE-2024-27316: a header list that never ends.
#[test]
fn continuations() {
    let (_origin, gateway) = start();
    let (_, sent) = flood(&gateway, |raw, count| match count {
        0 => raw.send(HEADERS, 1, 1, &[0x82]),
        _ => raw.send(
            CONTINUATION,
            0,
            1,
            &[&[0x00, 1, b'a', 100][..], &[b'b'; 100]].concat(),
        ),
    });
    assert!(sent > 0);
    assert_eq!(gateway.connect("public").get("/hello").status, 200);
}
