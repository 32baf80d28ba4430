//! Interim answers over HTTP/2 (RFC 9110 §15.2, RFC 9113 §8.1), and what a client waits for with
//! `Expect: 100-continue`.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request, StatusCode};
use tokio::net::TcpStream;

use crate::support::{Gateway, Origin, block_on, spec};

async fn connect(gateway: &Gateway) -> SendRequest<Bytes> {
    let socket = TcpStream::connect(gateway.address("public")).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::task::spawn_local(connection);
    sender.ready().await.unwrap()
}

fn request(method: Method, path: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://a.test{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// The next interim answer; none once the answer itself is there.
async fn interim(response: &mut ResponseFuture) -> Option<(StatusCode, HeaderMap)> {
    let next = poll_fn(|cx| response.poll_informational(cx)).await?;
    let (head, ()) = next.unwrap().into_parts();
    Some((head.status, head.headers))
}

async fn text(response: ResponseFuture) -> (StatusCode, String) {
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    (head.status, String::from_utf8(all).unwrap())
}

#[test]
fn early_hints_come_ahead_of_the_answer() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let get = request(Method::GET, "/hints", &[]);
        let (mut response, _) = sender.send_request(get, true).unwrap();
        for link in ["</one>; rel=preload", "</two>; rel=preload"] {
            let (status, fields) = interim(&mut response).await.unwrap();
            assert_eq!(status, 103);
            assert_eq!(fields["link"], link);
            assert!(!fields.contains_key("connection"), "{fields:?}");
        }
        assert!(interim(&mut response).await.is_none());
        assert_eq!(text(response).await, (StatusCode::OK, "hello".to_owned()));
    });
}

#[test]
fn hints_of_a_stream_that_was_reset_go_nowhere() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let get = request(Method::GET, "/hints", &[]);
        let (response, mut stream) = sender.send_request(get.clone(), true).unwrap();
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        let (mut response, _) = sender.send_request(get, true).unwrap();
        assert_eq!(interim(&mut response).await.unwrap().0, 103);
        assert_eq!(text(response).await.1, "hello");
    });
}

#[test]
fn an_upstream_asks_for_the_body() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let fields = [("expect", "100-continue"), ("content-length", "5")];
        let post = request(Method::POST, "/continue", &fields);
        let (mut response, mut stream) = sender.send_request(post, false).unwrap();
        assert_eq!(interim(&mut response).await.unwrap().0, 100);
        stream.send_data(Bytes::from("hello"), true).unwrap();
        assert!(interim(&mut response).await.is_none());
        assert_eq!(text(response).await, (StatusCode::OK, "5".to_owned()));
    });
}

#[test]
fn an_upstream_may_refuse_before_the_body() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let post = request(Method::POST, "/refuse", &[("expect", "100-continue")]);
        let (mut response, _stream) = sender.send_request(post, false).unwrap();
        assert!(interim(&mut response).await.is_none());
        assert_eq!(text(response).await.0, 401);
        let get = request(Method::GET, "/hello", &[]);
        let (response, _) = sender.send_request(get, true).unwrap();
        assert_eq!(text(response).await.1, "hello");
    });
}

#[test]
fn other_expectations_are_refused() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let get = request(Method::GET, "/hello", &[("expect", "a miracle")]);
        let (response, _) = sender.send_request(get, true).unwrap();
        assert_eq!(text(response).await.0, 417);
    });
    gateway.await_metric("lintel_malformed_requests_total", "expectation_failed", 1.0);
}
