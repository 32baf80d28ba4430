//! WebSockets over HTTP/2 (RFC 8441).

use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream, client::SendRequest, ext::Protocol};
use http::{Method, Request, Response, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use lintel_http1::server::Options;
use lintel_server::ListenerSpec;
use tokio::net::TcpStream;

use crate::support::{Gateway, Origin, block_on, spec};

/// A connection whose server is known to offer the extension.
async fn connect(gateway: &Gateway) -> SendRequest<Bytes> {
    let socket = TcpStream::connect(gateway.address("public")).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::task::spawn_local(connection);
    while !sender.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    sender.ready().await.unwrap()
}

fn opening(protocol: &'static str, path: &str, subprotocol: &str) -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://a.test{path}"))
        .header(SEC_WEBSOCKET_PROTOCOL, subprotocol)
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static(protocol))
        .body(())
        .unwrap()
}

async fn open(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let (response, stream) = sender.send_request(request, false).unwrap();
    (response.await.unwrap(), stream)
}

async fn echo(stream: &mut SendStream<Bytes>, body: &mut RecvStream, message: &'static [u8]) {
    stream
        .send_data(Bytes::from_static(message), false)
        .unwrap();
    let mut back = Vec::new();
    while back.len() < message.len() {
        let data = body.data().await.unwrap().unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        back.extend_from_slice(&data);
    }
    assert_eq!(back, message);
}

#[test]
fn a_websocket_is_bridged_to_an_upgrade() {
    let origin = Origin::start();
    let idle_timeout = Duration::from_millis(100);
    let listener = ListenerSpec {
        http1: Options {
            idle_timeout,
            ..Options::default()
        },
        ..spec("public")
    };
    let gateway = Gateway::start(origin.address, vec![listener]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let (response, mut stream) =
            open(&mut sender, opening("websocket", "/websocket", "chat")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "chat");
        for gone in ["sec-websocket-accept", "upgrade", "connection"] {
            assert!(!response.headers().contains_key(gone), "{gone}");
        }
        let mut body = response.into_body();
        echo(&mut stream, &mut body, b"\x81\x02hi").await;
        // A connection with a tunnel on it is not idle, however long nothing is said.
        let silence = tokio::time::timeout(3 * idle_timeout, body.data()).await;
        assert!(silence.is_err(), "{silence:?}");
        echo(&mut stream, &mut body, b"still here").await;
        stream.send_data(Bytes::new(), true).unwrap();
        while let Some(rest) = body.data().await {
            assert_eq!(rest.unwrap(), "");
        }
    });
    gateway.await_metric("lintel_requests_total", "status=\"101\"", 1.0);
}

#[test]
fn other_streams_go_on_beside_it() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let (response, mut stream) =
            open(&mut sender, opening("websocket", "/websocket", "chat")).await;
        let mut body = response.into_body();
        let get = Request::get("http://a.test/hello").body(()).unwrap();
        let (response, _) = sender.send_request(get, true).unwrap();
        let mut hello = response.await.unwrap().into_body();
        assert_eq!(hello.data().await.unwrap().unwrap(), "hello");
        echo(&mut stream, &mut body, b"x").await;
    });
}

#[test]
fn what_does_not_become_a_websocket_is_no_success() {
    let origin = Origin::start();
    let gateway = Gateway::start(origin.address, vec![spec("public")]);
    block_on(async {
        let mut sender = connect(&gateway).await;
        let cases = [
            ("websocket", "/refuse", "chat", StatusCode::UNAUTHORIZED),
            ("websocket", "/hello", "chat", StatusCode::BAD_GATEWAY),
            ("websocket", "/own", "chat", StatusCode::BAD_GATEWAY),
            ("websocket", "/websocket", "broken", StatusCode::BAD_GATEWAY),
            (
                "connect-udp",
                "/websocket",
                "chat",
                StatusCode::NOT_IMPLEMENTED,
            ),
        ];
        for (protocol, path, subprotocol, status) in cases {
            let request = opening(protocol, path, subprotocol);
            let (response, _stream) = open(&mut sender, request).await;
            assert_eq!(response.status(), status, "{protocol} {path} {subprotocol}");
        }
        let plain = Request::connect("a.test:80").body(()).unwrap();
        let (response, _stream) = open(&mut sender, plain).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    });
}
