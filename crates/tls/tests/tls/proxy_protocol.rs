//! Reading the PROXY header off a socket.

use std::time::Duration;

use lintel_tls::Socket;
use lintel_tls::proxy_protocol::{ParseError, ReadError, read_header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n";
const LONG: Duration = Duration::from_secs(60);

fn binary(padding: usize) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    bytes.extend(u16::try_from(12 + 3 + padding).unwrap().to_be_bytes());
    bytes.extend([192, 0, 2, 1, 198, 51, 100, 2, 0x1f, 0x90, 0x01, 0xbb, 4]);
    bytes.extend(u16::try_from(padding).unwrap().to_be_bytes());
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

#[tokio::test]
async fn not_a_byte_more_than_the_header_is_read() {
    for header in [LINE, &binary(0), &binary(5000), &binary(16_000)] {
        let (mut server, mut client) = sockets().await;
        let message = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
        client.write_all(&message).await.unwrap();
        client.shutdown().await.unwrap();
        let parsed = read_header(&mut server, LONG).await.unwrap();
        assert_eq!(parsed.source(), Some("192.0.2.1:8080".parse().unwrap()));
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"GET / HTTP/1.1\r\n\r\n");
    }
}

#[tokio::test]
async fn a_header_in_pieces_over_a_unix_socket() {
    for header in [LINE.to_vec(), binary(700)] {
        let (server, mut client) = tokio::net::UnixStream::pair().unwrap();
        let mut server = Socket::from(server);
        let sending = async {
            for piece in header.chunks(11) {
                client.write_all(piece).await.unwrap();
                // Lets the reader take the piece before the next one comes.
                tokio::task::yield_now().await;
            }
            client.write_all(b"rest").await.unwrap();
        };
        let (_, parsed) = tokio::join!(sending, read_header(&mut server, LONG));
        assert_eq!(
            parsed.unwrap().source(),
            Some("192.0.2.1:8080".parse().unwrap())
        );
        let mut rest = [0; 4];
        server.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"rest");
    }
}

#[tokio::test]
async fn the_handshake_follows_the_header() {
    let (_dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let (mut server, mut client) = sockets().await;
    let connector = tokio_rustls::TlsConnector::from(
        Client {
            roots: &[ca.der()],
            ..Client::default()
        }
        .config(),
    );
    let connecting = async {
        client.write_all(LINE).await.unwrap();
        connector
            .connect("localhost".try_into().unwrap(), client)
            .await
    };
    let accepting = async {
        read_header(&mut server, LONG).await.unwrap();
        acceptor.accept(server).await
    };
    let (client, server) = tokio::join!(connecting, accepting);
    greet(&mut server.unwrap(), &mut client.unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_header() {
    let (mut server, mut client) = sockets().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let error = read_header(&mut server, LONG).await.unwrap_err();
    assert!(
        matches!(error, ReadError::Malformed(ParseError::NoSignature)),
        "{error}"
    );

    let (mut server, mut client) = sockets().await;
    client.write_all(&LINE[..20]).await.unwrap();
    client.shutdown().await.unwrap();
    let error = read_header(&mut server, LONG).await.unwrap_err();
    assert!(matches!(error, ReadError::Closed), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come() {
    let (mut server, mut client) = sockets().await;
    client.write_all(&LINE[..20]).await.unwrap();
    let error = read_header(&mut server, Duration::from_secs(2))
        .await
        .unwrap_err();
    assert!(matches!(error, ReadError::Timeout), "{error}");
}
