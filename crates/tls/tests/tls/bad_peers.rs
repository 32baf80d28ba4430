//! Peers that speak no TLS, bad TLS, or stop in the middle.

use std::time::Duration;

use lintel_tls::{HandshakeErrorKind, ServerSettings, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// The listener's verdict on these first bytes, and what it sent to their sender.
async fn verdict(bytes: &[u8]) -> (lintel_tls::HandshakeError, Vec<u8>) {
    let (_dir, _ca, settings) = simple();
    let acceptor = build(&settings);
    let (server, mut client) = sockets().await;
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let error = acceptor.accept(server).await.unwrap_err();
    let mut answer = Vec::new();
    if error.kind() != HandshakeErrorKind::PlainHttp {
        // A reset after the alert is as good as an end.
        let _ = client.read_to_end(&mut answer).await;
    }
    (error, answer)
}

#[tokio::test]
async fn plain_http_is_handed_back_whole_and_unanswered() {
    let openings = [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"POST /x HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"G",
    ];
    for opening in openings {
        let (_dir, _ca, settings) = simple();
        let acceptor = build(&settings);
        let (server, mut client) = sockets().await;
        client.write_all(opening).await.unwrap();
        let error = acceptor.accept(server).await.unwrap_err();
        assert_eq!(error.kind(), HandshakeErrorKind::PlainHttp);
        assert_eq!(
            error.to_string(),
            "the client sent a plain HTTP request to a TLS port"
        );
        let (mut socket, read) = error.into_plain_http().unwrap();
        assert_eq!(read, opening);
        // The caller answers in plain HTTP, and that is all the client sees.
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        drop(socket);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    }
}

#[tokio::test]
async fn garbage_gets_an_alert_and_a_clear_error() {
    let table = [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], HandshakeErrorKind::NotTls),
        (b"\0\0\0\0\0\0\0\0", HandshakeErrorKind::NotTls),
        (b"GOT / HTTP/1.1\r\n\r\n", HandshakeErrorKind::NotTls),
        (b"\xff\xff\xff\xff\xff\xff", HandshakeErrorKind::NotTls),
        // A handshake record of 4 bytes that hold no hello.
        (
            b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
            HandshakeErrorKind::Protocol,
        ),
        // Application data before any hello.
        (b"\x17\x03\x03\x00\x01\x00", HandshakeErrorKind::Protocol),
        // A record longer than the protocol allows.
        (b"\x16\x03\x01\xff\xff\x01", HandshakeErrorKind::NotTls),
    ];
    for (bytes, kind) in table {
        let (error, answer) = verdict(bytes).await;
        assert_eq!(error.kind(), kind, "{bytes:?}: {error}");
        assert!(error.to_string().contains("the client"), "{error}");
        assert!(!error.is_noise() && !error.is_transient());
        // Content type alert, version, length 2, level fatal.
        assert_eq!(answer.first(), Some(&21), "{bytes:?}: {answer:?}");
        assert_eq!(
            answer.get(3..6),
            Some(&[0, 2, 2][..]),
            "{bytes:?}: {answer:?}"
        );
        assert!(error.into_plain_http().is_none());
    }
}

#[tokio::test]
async fn a_peer_that_leaves_without_a_word_is_noise() {
    let (error, _) = verdict(b"").await;
    assert_eq!(error.kind(), HandshakeErrorKind::Closed);
    assert!(error.is_noise() && error.is_transient());
    let (error, _) = verdict(b"\x16\x03\x01\x02").await;
    assert_eq!(error.kind(), HandshakeErrorKind::Closed);
    assert!(!error.is_noise());
}

/// A real client's first flight.
fn client_hello() -> Vec<u8> {
    let config = Client {
        roots: &[Ca::new("CA").der()],
        ..Client::default()
    }
    .config();
    let name = "localhost".try_into().unwrap();
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn a_hello_cut_at_any_byte_ends_in_an_error() {
    let hello = client_hello();
    for cut in (1..hello.len()).step_by(7) {
        let (error, _) = verdict(&hello[..cut]).await;
        assert_eq!(
            error.kind(),
            HandshakeErrorKind::Closed,
            "cut at {cut}: {error}"
        );
    }
}

#[tokio::test]
async fn a_hello_with_any_byte_changed_never_hangs_or_panics() {
    let hello = client_hello();
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 0x15;
        // Ends in some error, since the client goes away at the latest.
        verdict(&changed).await;
    }
}

#[tokio::test]
async fn a_hello_that_comes_byte_by_byte_is_understood() {
    let (_dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let (server, client) = sockets().await;
    client.set_nodelay(true).unwrap();
    let (mut near, far) = tokio::io::duplex(1);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    // One byte at a time from the client's TLS to the socket, whole chunks back.
    let pump = tokio::spawn(async move {
        let (mut from, mut to) = client.into_split();
        let (mut near_from, mut near_to) = tokio::io::split(&mut near);
        let up = async {
            let mut byte = [0];
            while near_from.read(&mut byte).await.is_ok_and(|read| read == 1) {
                if to.write_all(&byte).await.is_err() {
                    break;
                }
            }
        };
        let down = tokio::io::copy(&mut from, &mut near_to);
        let _ = tokio::join!(up, down);
    });
    let connector = tokio_rustls::TlsConnector::from(config);
    let name = "localhost".try_into().unwrap();
    let (server, client) = tokio::join!(acceptor.accept(server), connector.connect(name, far));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    client.write_all(b"hello").await.unwrap();
    client.flush().await.unwrap();
    let mut word = [0; 5];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"hello");
    drop((server, client));
    pump.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_a_time_limit() {
    let (_dir, _ca, settings) = simple();
    let acceptor = build(&ServerSettings {
        handshake_timeout: Duration::from_secs(3),
        ..settings
    });
    let (server, mut client) = sockets().await;
    client.write_all(&client_hello()[..20]).await.unwrap();
    let begun = tokio::time::Instant::now();
    let error = acceptor.accept(server).await.unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Timeout);
    insta::assert_snapshot!(error, @"the client did not finish the TLS handshake within 3s");
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn a_cut_off_stream_is_no_end() {
    let (_dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    let (mut server, mut client) = meet(&acceptor, &config, "localhost").await.both();
    // The connection ends without close_notify. Unread tickets would make it a reset.
    greet(&mut server, &mut client).await.unwrap();
    let (socket, _) = client.into_inner();
    drop::<TcpStream>(socket);
    let error = server.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("close_notify"), "{error}");
}

#[tokio::test]
async fn a_damaged_record_ends_the_session_for_good() {
    let (_dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    let (mut server, mut client) = meet(&acceptor, &config, "localhost").await.both();
    greet(&mut server, &mut client).await.unwrap();
    client.write_all(b"good").await.unwrap();
    client.flush().await.unwrap();
    let (mut socket, _session) = client.into_inner();
    socket
        .write_all(b"\x17\x03\x03\x00\x18 this is no ciphertext..")
        .await
        .unwrap();
    // What came before the damage is delivered first.
    let mut word = [0; 4];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"good");
    for _ in 0..2 {
        let error = server.read(&mut word).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("tampered"), "{error}");
    }
    assert!(server.write(b"x").await.is_err());
    assert!(!server.is_quiet());
}

#[tokio::test]
async fn a_socket_that_is_reset_is_an_io_error() {
    let (_dir, _ca, settings) = simple();
    let acceptor = build(&settings);
    let (server, mut client) = sockets().await;
    client.write_all(&client_hello()[..20]).await.unwrap();
    Socket::from(client).reset_on_drop().unwrap();
    let error = acceptor.accept(server).await.unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Io, "{error}");
    assert!(error.is_transient() && !error.is_noise());
}

#[test]
fn any_bytes_after_the_handshake_end_in_an_error() {
    use proptest::prelude::*;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    // Records with a plausible header and any payload, or any bytes at all.
    let record =
        (20_u8..24, proptest::collection::vec(any::<u8>(), 0..80)).prop_map(|(kind, payload)| {
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            [&[kind, 3, 3, length[0], length[1]], &payload[..]].concat()
        });
    let bytes = prop_oneof![record, proptest::collection::vec(any::<u8>(), 1..80)];
    let cases = ProptestConfig {
        cases: 64,
        ..ProptestConfig::default()
    };
    proptest!(cases, |(bytes in proptest::collection::vec(bytes, 1..4))| {
        runtime.block_on(async {
            let (mut server, client) = meet(&acceptor, &config, "localhost").await.both();
            let (mut socket, _session) = client.into_inner();
            socket.write_all(&bytes.concat()).await.unwrap();
            socket.shutdown().await.unwrap();
            let mut plain = Vec::new();
            assert!(server.read_to_end(&mut plain).await.is_err());
            assert_eq!(plain, b"");
        });
    });
}
