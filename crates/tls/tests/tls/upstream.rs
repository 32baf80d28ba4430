//! Connections to upstreams.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use lintel_tls::{
    Alpn, ClientAuth, ClientCa, ClientCertificate, ClientSettings, Connector, Given,
    HandshakeError, HandshakeErrorKind, Roots, ServerSettings, Stream, TlsVersion, TlsWarningKind,
    UnmatchedName,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

struct Scene {
    dir: Dir,
    ca: Ca,
    server: ServerSettings,
    client: ClientSettings,
}

fn scene(leaf: &Leaf<'_>) -> Scene {
    let (dir, ca) = (Dir::new(), Ca::new("Test CA"));
    let server = ServerSettings {
        certificates: vec![store(&dir, "server", &ca.issue(leaf))],
        ..ServerSettings::default()
    };
    let client = ClientSettings {
        roots: Roots::File(dir.write("ca.pem", &ca.pem)),
        ..ClientSettings::default()
    };
    Scene {
        dir,
        ca,
        server,
        client,
    }
}

type Outcome = (
    Result<Stream, HandshakeError>,
    Result<Stream, HandshakeError>,
);

impl Scene {
    fn connector(&self) -> Connector {
        Connector::build(&self.client).unwrap()
    }

    /// The server's and the client's end.
    async fn meet(&self, connector: &Connector, host: &str) -> Outcome {
        meet_ours(&build(&self.server), connector, host).await
    }

    async fn error(&self, host: &str) -> HandshakeError {
        self.meet(&self.connector(), host).await.1.unwrap_err()
    }
}

async fn meet_ours(acceptor: &lintel_tls::Acceptor, connector: &Connector, host: &str) -> Outcome {
    let (server, client) = sockets().await;
    tokio::join!(
        acceptor.accept(server),
        connector.connect(host, client.into())
    )
}

fn names<'a>(names: &'a [&'a str]) -> Leaf<'a> {
    Leaf {
        names,
        ..Leaf::default()
    }
}

#[tokio::test]
async fn a_trusted_server_under_its_names() {
    let scene = scene(&names(&["a.example", "*.b.example", "127.0.0.1", "::1"]));
    let connector = scene.connector();
    for host in [
        "a.example",
        "A.Example",
        "a.example.",
        "x.b.example",
        "127.0.0.1",
        "[::1]",
        "::1",
    ] {
        let (server, client) = scene.meet(&connector, host).await;
        let (server, client) = (
            server.unwrap(),
            client.unwrap_or_else(|e| panic!("{host}: {e}")),
        );
        let info = client.tls_info().unwrap();
        assert_eq!((info.version, info.sni), (TlsVersion::V1_3, None));
        assert!(info.peer_authenticated);
        assert!(client.peer_certificate().is_some());
        let is_name = !host.contains(':') && !host.starts_with("127");
        let asked = server.tls_info().unwrap().sni.is_some();
        assert_eq!(asked, is_name, "{host}");
    }
    let error = scene.meet(&connector, "not a host").await.1.unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Local);
    assert!(
        error
            .to_string()
            .contains("neither a host name nor an IP address"),
        "{error}"
    );
}

#[tokio::test]
async fn why_a_server_is_not_trusted() {
    let valid = scene(&names(&["a.example", "b.example"]));
    let error = valid.error("c.example").await;
    assert_eq!(error.kind(), HandshakeErrorKind::BadCertificate);
    insta::assert_snapshot!(error, @"the server's certificate is refused: it is not for c.example, but for a.example, b.example");

    let mut stranger = scene(&names(&["a.example"]));
    let other = Ca::new("Other CA").pem;
    stranger.client.roots = Roots::File(stranger.dir.write("other.pem", other));
    let error = stranger.error("a.example").await;
    assert_eq!(error.kind(), HandshakeErrorKind::BadCertificate);
    insta::assert_snapshot!(error, @"the server's certificate is refused: its issuer is not among the trusted CAs (set `ca` if it is a private one), or the server does not send its intermediate certificates");

    let expired = scene(&Leaf {
        valid: (-9 * DAY, -DAY),
        ..names(&["a.example"])
    });
    insta::assert_snapshot!(expired.error("a.example").await, @"the server's certificate is refused: it has expired");
    let early = scene(&Leaf {
        valid: (DAY, 9 * DAY),
        ..names(&["a.example"])
    });
    insta::assert_snapshot!(early.error("a.example").await, @"the server's certificate is refused: it is not valid yet (is the clock right?)");
}

#[tokio::test]
async fn what_the_server_thinks_of_it() {
    let scene = scene(&names(&["a.example"]));
    let error = scene
        .meet(&scene.connector(), "b.example")
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Alert);
    insta::assert_snapshot!(error, @"the client refuses our certificate (alert bad_certificate)");
}

#[tokio::test]
async fn the_server_name_can_be_set() {
    let mut scene = scene(&names(&["inner.example"]));
    scene.client.server_name = Some("inner.example".to_owned());
    scene.server.unmatched_name = UnmatchedName::Refuse;
    let (server, client) = scene.meet(&scene.connector(), "10.0.0.7").await;
    client.unwrap();
    assert_eq!(
        server.unwrap().tls_info().unwrap().sni,
        Some("inner.example")
    );

    scene.client.server_name = Some("outer.example".to_owned());
    let error = scene.error("10.0.0.7").await;
    insta::assert_snapshot!(error, @"the server has no certificate for the name we asked for (alert unrecognized_name)");
}

#[tokio::test]
async fn verification_can_be_turned_off_loudly() {
    let mut scene = scene(&names(&["a.example"]));
    assert_eq!(scene.connector().warnings(), []);
    scene.client.roots = Roots::File(scene.dir.write("other.pem", Ca::new("Other CA").pem));
    scene.client.verify = false;
    let connector = scene.connector();
    let warnings = connector.warnings();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].kind, TlsWarningKind::NotVerified);
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        scene.server.max_version = version;
        let client = scene.meet(&connector, "elsewhere.example").await.1.unwrap();
        assert_eq!(client.tls_info().unwrap().version, version);
    }
}

#[tokio::test]
async fn alpn_and_versions() {
    let mut scene = scene(&names(&["a.example"]));
    scene.client.alpn = vec![Alpn::H2, Alpn::Http1];
    let connector = scene.connector();
    let client = scene.meet(&connector, "a.example").await.1.unwrap();
    assert_eq!(client.tls_info().unwrap().alpn, Some(Alpn::H2));
    scene.server.alpn = vec![Alpn::Http1];
    let client = scene.meet(&connector, "a.example").await.1.unwrap();
    assert_eq!(client.tls_info().unwrap().alpn, Some(Alpn::Http1));
    scene.client.alpn = vec![Alpn::H2];
    insta::assert_snapshot!(scene.error("a.example").await, @"the server speaks none of the application protocols offered (alert no_application_protocol)");

    scene.server.alpn = vec![];
    scene.server.max_version = TlsVersion::V1_2;
    scene.client.min_version = TlsVersion::V1_3;
    insta::assert_snapshot!(scene.error("a.example").await, @"the server speaks no TLS version that is enabled here (alert protocol_version)");
}

#[tokio::test]
async fn our_certificate_is_shown_and_replaced() {
    let mut scene = scene(&names(&["a.example"]));
    let authority = ClientCa {
        ca: scene.dir.path("ca.pem"),
        crl: None,
    };
    scene.server.client_auth = ClientAuth::Required(authority);
    let write = |common_name: &str| {
        let issued = scene.ca.issue(&Leaf {
            common_name,
            ..Leaf::default()
        });
        store(&scene.dir, "client", &issued)
    };
    let source = write("gateway-1");
    scene.client.client_certificate = Some(ClientCertificate {
        cert: source.cert,
        key: source.key,
    });
    let connector = scene.connector();
    let name = |server: Stream| server.peer_certificate().unwrap().common_name.unwrap();
    let (server, _client) = scene.meet(&connector, "a.example").await;
    assert_eq!(name(server.unwrap()), "gateway-1");
    assert_eq!(connector.reload(), Ok(false));

    let issued = scene.ca.issue(&Leaf {
        common_name: "gateway-2",
        ..Leaf::default()
    });
    store(&scene.dir, "client", &issued);
    assert_eq!(connector.reload(), Ok(true));
    let (server, _client) = scene.meet(&connector, "a.example").await;
    assert_eq!(name(server.unwrap()), "gateway-2");

    std::fs::remove_file(scene.dir.path("client.pem")).unwrap();
    assert!(connector.reload().is_err());
    scene.meet(&connector, "a.example").await.0.unwrap();
}

#[tokio::test]
async fn key_material_may_come_from_memory() {
    let mut scene = scene(&names(&["a.example"]));
    scene.server.client_auth = ClientAuth::Required(ClientCa {
        ca: scene.dir.path("ca.pem"),
        crl: None,
    });
    let issued = scene.ca.issue(&Leaf {
        common_name: "gateway-1",
        ..Leaf::default()
    });
    let given = |name: &str, pem: &str| Given {
        path: name.into(),
        pem: pem.as_bytes().to_vec(),
    };
    scene.client = ClientSettings {
        roots: Roots::File("config: CA".into()),
        client_certificate: Some(ClientCertificate {
            cert: "config: certificate".into(),
            key: "config: key".into(),
        }),
        given: vec![
            given("config: CA", &scene.ca.pem),
            given("config: certificate", &issued.cert),
            given("config: key", &issued.key),
        ],
        ..ClientSettings::default()
    };
    let connector = scene.connector();
    assert_eq!(connector.files(), [] as [std::path::PathBuf; 0]);
    assert_eq!(connector.warnings(), []);
    assert_eq!(connector.reload(), Ok(false));
    let shown = format!("{:?}", scene.client);
    assert!(!shown.contains("PRIVATE"), "{shown}");
    let (server, client) = scene.meet(&connector, "a.example").await;
    let peer = server.unwrap().peer_certificate().unwrap();
    assert_eq!(peer.common_name.unwrap(), "gateway-1");
    client.unwrap();

    // What is wrong with it is told by its name.
    scene.client.given[2] = given("config: key", "no key");
    let Err(errors) = Connector::build(&scene.client) else {
        panic!("accepted");
    };
    assert!(
        errors[0]
            .to_string()
            .starts_with("config: key: the file holds no private key"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn a_missing_client_certificate_is_told_at_the_first_read() {
    let mut scene = scene(&names(&["a.example"]));
    scene.server.client_auth = ClientAuth::Required(ClientCa {
        ca: scene.dir.path("ca.pem"),
        crl: None,
    });
    // TLS 1.3: the handshake is over for the client before the server looks at its answer.
    let (server, client) = scene.meet(&scene.connector(), "a.example").await;
    assert_eq!(
        server.unwrap_err().kind(),
        HandshakeErrorKind::NoCertificate
    );
    let mut client = client.unwrap();
    let error = client.read(&mut [0]).await.unwrap_err();
    insta::assert_snapshot!(error, @"the server requires a client certificate, and none is set (alert certificate_required)");
    // TLS 1.2 has no such alert.
    scene.server.max_version = TlsVersion::V1_2;
    let error = scene.error("a.example").await;
    assert_eq!(error.kind(), HandshakeErrorKind::Alert, "{error}");
}

#[tokio::test]
async fn sessions_with_upstreams_are_resumed() {
    let mut scene = scene(&names(&["a.example"]));
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        scene.server.max_version = version;
        let (acceptor, connector) = (build(&scene.server), scene.connector());
        for expected in [false, true, true] {
            let (server, client) = meet_ours(&acceptor, &connector, "a.example").await;
            let (mut server, mut client) = (server.unwrap(), client.unwrap());
            server.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
            assert_eq!(client.tls_info().unwrap().resumed, expected, "{version:?}");
            assert!(client.tls_info().unwrap().peer_authenticated);
        }
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls() {
    let scene = scene(&names(&["a.example"]));
    let connector = scene.connector();
    let table = [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            HandshakeErrorKind::PlainHttp,
        ),
        (b"220 mail.example ESMTP\r\n", HandshakeErrorKind::NotTls),
        (b"", HandshakeErrorKind::Closed),
    ];
    for (answer, kind) in table {
        let (mut server, client) = sockets().await;
        let answering = async {
            server.read_exact(&mut [0; 100]).await.unwrap();
            server.write_all(answer).await.unwrap();
            server.shutdown().await.unwrap();
            // The rest of the hello, so that the answer is not lost to a reset.
            let _ = server.read_to_end(&mut Vec::new()).await;
        };
        let (_, error) = tokio::join!(answering, async {
            connector
                .connect("a.example", client.into())
                .await
                .unwrap_err()
        });
        assert_eq!(error.kind(), kind, "{error}");
        if kind == HandshakeErrorKind::PlainHttp {
            assert!(error.to_string().contains("http://"), "{error}");
        }
    }
}

#[tokio::test]
async fn the_system_s_roots_are_shared() {
    let settings = ClientSettings::default();
    // A machine without any trusted CA gets the error that says so.
    match Connector::build(&settings) {
        Ok(connector) => {
            let scene = scene(&names(&["a.example"]));
            let error = meet_ours(&build(&scene.server), &connector, "a.example")
                .await
                .1;
            assert_eq!(
                error.unwrap_err().kind(),
                HandshakeErrorKind::BadCertificate
            );
        }
        Err(errors) => assert!(errors[0].problem.contains("no trusted CA certificates")),
    }
}

#[tokio::test]
async fn openssl_as_the_server() {
    let scene = scene(&names(&["localhost"]));
    let text = |name: &str| scene.dir.path(name).to_str().unwrap().to_owned();
    let child = std::process::Command::new("openssl")
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-rev",
            "-alpn",
            "http/1.1",
        ])
        .args(["-cert", &text("server.pem"), "-key", &text("server.key")])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut server = Killed(child.unwrap());
    let output = BufReader::new(server.0.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    let address = lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
    let address = address.unwrap();
    let mut settings = scene.client.clone();
    settings.alpn = vec![Alpn::H2, Alpn::Http1];
    let connector = Arc::new(Connector::build(&settings).unwrap());
    for expected in [false, true] {
        let socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        let mut stream = connector.connect("localhost", socket.into()).await.unwrap();
        assert_eq!(stream.tls_info().unwrap().alpn, Some(Alpn::Http1));
        assert_eq!(stream.tls_info().unwrap().resumed, expected);
        stream.write_all(b"abc\n").await.unwrap();
        let mut line = [0; 4];
        stream.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"cba\n");
        assert!(stream.is_quiet());
        stream.shutdown().await.unwrap();
    }
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
