//! TLS, and what is agreed in its handshake.

use std::{path::Path, sync::Arc, time::Duration};

use lintel_server::ListenerSpec;
use lintel_tls::{
    Acceptor, Alpn, CertificateSource, ClientSettings, Connector, Roots, ServerSettings, Stream,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Gateway, Origin, block_on, spec};

pub(crate) struct Keys(tempfile::TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(
            folder.path().join("key.pem"),
            made.signing_key.serialize_pem(),
        )
        .unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn listener(&self) -> ListenerSpec {
        let settings = ServerSettings {
            certificates: vec![CertificateSource {
                cert: self.path().join("cert.pem"),
                key: self.path().join("key.pem"),
                ocsp: None,
            }],
            handshake_timeout: Duration::from_millis(200),
            ..ServerSettings::default()
        };
        ListenerSpec {
            tls: Some(Arc::new(Acceptor::build(&settings).unwrap())),
            ..spec("secure")
        }
    }

    pub(crate) async fn connect(&self, gateway: &Gateway, alpn: Vec<Alpn>) -> Stream {
        let settings = ClientSettings {
            roots: Roots::File(self.path().join("cert.pem")),
            verify: false,
            alpn,
            ..ClientSettings::default()
        };
        let connector = Connector::build(&settings).unwrap();
        let socket = TcpStream::connect(gateway.address("secure")).await.unwrap();
        connector.connect("a.test", socket.into()).await.unwrap()
    }
}

#[test]
fn http1_by_alpn_and_without_it() {
    let (origin, keys) = (Origin::start(), Keys::new());
    let gateway = Gateway::start(origin.address, vec![keys.listener()]);
    block_on(async {
        for alpn in [vec![Alpn::Http1], vec![]] {
            let mut stream = keys.connect(&gateway, alpn).await;
            let request = b"GET /head HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            stream.flush().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(
                answer.to_lowercase().contains("x-forwarded-proto: https"),
                "{answer}"
            );
        }
    });
    gateway.await_metric("lintel_tls_handshakes_total", "success", 2.0);
}

#[test]
fn http2_by_alpn() {
    let (origin, keys) = (Origin::start(), Keys::new());
    let gateway = Gateway::start(origin.address, vec![keys.listener()]);
    block_on(async {
        let stream = keys.connect(&gateway, vec![Alpn::H2, Alpn::Http1]).await;
        assert_eq!(stream.tls_info().unwrap().alpn, Some(Alpn::H2));
        let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::task::spawn_local(connection);
        let request = http::Request::get("https://a.test/hello").body(()).unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "hello");
    });
}

#[test]
fn plain_http_to_a_tls_port_is_told_so() {
    let (origin, keys) = (Origin::start(), Keys::new());
    let gateway = Gateway::start(origin.address, vec![keys.listener()]);
    let mut client = gateway.connect("secure");
    let answer = client.get("/hello");
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("\"code\":\"tls_required\""),
        "{answer:?}"
    );
    gateway.await_metric("lintel_tls_handshakes_total", "plain_http", 1.0);
}

#[test]
fn a_handshake_that_stalls_is_ended() {
    let (origin, keys) = (Origin::start(), Keys::new());
    let gateway = Gateway::start(origin.address, vec![keys.listener()]);
    let mut client = gateway.connect("secure");
    client.send([22, 3, 1]).unwrap();
    assert!(client.is_closed());
    gateway.await_metric("lintel_tls_handshakes_total", "timeout", 1.0);
}

#[test]
fn a_proxy_header_may_come_before_the_handshake() {
    let (origin, keys) = (Origin::start(), Keys::new());
    let listener = ListenerSpec {
        proxy_protocol: Some(vec!["127.0.0.0/8".parse().unwrap()]),
        ..keys.listener()
    };
    let gateway = Gateway::start(origin.address, vec![listener]);
    block_on(async {
        let settings = ClientSettings {
            verify: false,
            ..ClientSettings::default()
        };
        let mut socket = TcpStream::connect(gateway.address("secure")).await.unwrap();
        socket
            .write_all(b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n")
            .await
            .unwrap();
        let connector = Connector::build(&settings).unwrap();
        let mut stream = connector.connect("a.test", socket.into()).await.unwrap();
        stream
            .write_all(b"GET /head HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        stream.flush().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer
                .to_lowercase()
                .contains("x-forwarded-for: 203.0.113.9\r\n"),
            "{answer}"
        );
    });
}
