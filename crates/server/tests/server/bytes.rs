//! Bytes in and out, by listener.

use lintel_tls::Alpn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    support::{Gateway, Origin, Raw, block_on, frames::*, spec},
    tls::Keys,
};

const RECEIVED: &str = "lintel_received_bytes_total";
const SENT: &str = "lintel_sent_bytes_total";
const PUBLIC: &str = "listener=\"public\"";

#[test]
fn heads_and_bodies_are_counted_in_both_directions() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public"), spec("other")]);
    let mut client = gateway.connect("public");
    let request = "POST /length HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";
    client.send(request).unwrap();
    let first = client.answer().unwrap();
    client.send(request).unwrap();
    let second = client.answer().unwrap();
    let sent = [first, second].map(|answer| answer.head.len() + answer.body.len());
    gateway.await_metric(RECEIVED, PUBLIC, 2.0 * request.len() as f64);
    gateway.await_metric(SENT, PUBLIC, sent.iter().sum::<usize>() as f64);
    assert_eq!(gateway.metric(RECEIVED, "other"), 0.0);
}

#[test]
fn the_bytes_of_a_tunnel_are_counted() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut client = gateway.connect("public");
    let request =
        "GET /switch HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    client.send(request).unwrap();
    let head = client.answer().unwrap().head;
    let message = "x".repeat(10_000);
    client.send(&message).unwrap();
    client.expect(&message);
    gateway.await_metric(RECEIVED, PUBLIC, (request.len() + message.len()) as f64);
    gateway.await_metric(SENT, PUBLIC, (head.len() + message.len()) as f64);
}

#[test]
fn the_frames_of_http2_are_counted() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/own", true);
    raw.find(DATA).unwrap();
    let before = gateway.metric(RECEIVED, PUBLIC);
    raw.send(PING, 0, 0, &[0; 8]);
    while raw.find(PING).unwrap().flags != 1 {}
    gateway.await_metric(RECEIVED, PUBLIC, before + 17.0);
    assert!(gateway.metric(SENT, PUBLIC) > 17.0);
}

#[test]
fn records_around_the_bytes_are_not_counted() {
    let (origin, keys) = (Origin::start(), Keys::new());
    let gateway = Gateway::start(origin.address, vec![keys.listener()]);
    let request = "GET /own HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    let answer = block_on(async {
        let mut stream = keys.connect(&gateway, vec![Alpn::Http1]).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
    gateway.await_metric(RECEIVED, "secure", request.len() as f64);
    gateway.await_metric(SENT, "secure", answer.len() as f64);
}
