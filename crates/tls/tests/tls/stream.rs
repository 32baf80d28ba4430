//! The TLS byte stream: bulk, backpressure, half closes, idleness.

use std::io::IoSlice;
use std::sync::Arc;
use std::task::Poll;

use lintel_tls::{Connector, Roots, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::socket::{is_readable, readable};
use crate::support::*;

type Ends = (Stream, TlsStream<TcpStream>);

async fn ends(versions: &'static [&'static rustls::SupportedProtocolVersion]) -> Ends {
    let (_dir, ca, settings) = simple();
    let config = Client {
        roots: &[ca.der()],
        versions,
        ..Client::default()
    }
    .config();
    meet(&build(&settings), &config, "localhost").await.both()
}

/// Both ends ours.
async fn ours() -> (Stream, Stream) {
    let (dir, ca, settings) = simple();
    let connector = Connector::build(&lintel_tls::ClientSettings {
        roots: Roots::File(dir.write("ca.pem", &ca.pem)),
        ..Default::default()
    });
    let connector = connector.unwrap();
    let acceptor = build(&settings);
    let (server, client) = sockets().await;
    let (server, client) = tokio::join!(
        acceptor.accept(server),
        connector.connect("localhost", client.into())
    );
    (server.unwrap(), client.unwrap())
}

/// Bytes that differ all along, so that a lost, doubled or swapped piece shows.
fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    })
    .take(len)
    .collect()
}

/// Writes `data` in pieces of this size and ends the stream.
async fn send(mut stream: impl AsyncWrite + Unpin, data: Arc<Vec<u8>>, piece: usize) {
    for chunk in data.chunks(piece) {
        stream.write_all(chunk).await.unwrap();
    }
    stream.flush().await.unwrap();
    stream.shutdown().await.unwrap();
}

/// Reads to the end in buffers of this size.
async fn receive(mut stream: impl AsyncRead + Unpin, size: usize) -> Vec<u8> {
    let mut data = Vec::new();
    let mut buffer = vec![0; size];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return data,
            read => data.extend_from_slice(&buffer[..read]),
        }
    }
}

#[tokio::test]
async fn bulk_arrives_whole_at_any_buffer_sizes() {
    let data = Arc::new(pattern(3_000_000));
    for versions in [V12, V13] {
        for (piece, size) in [
            (1 << 20, 1 << 16),
            (10_000, 4096),
            (65_536, 100),
            (700, 16_384),
        ] {
            let (server, client) = ends(versions).await;
            let (mut from, to) = tokio::io::split(client);
            let (server_from, server_to) = tokio::io::split(server);
            let (_, up, _, mut down) = tokio::join!(
                send(to, Arc::clone(&data), piece),
                receive(server_from, size),
                send(server_to, Arc::clone(&data), piece),
                receive(&mut from, size),
            );
            assert!(
                up == *data && std::mem::take(&mut down) == *data,
                "{piece} {size}"
            );
        }
    }
}

#[tokio::test]
async fn between_our_own_two_ends() {
    let data = Arc::new(pattern(2_000_000));
    let (server, client) = ours().await;
    let (server_from, server_to) = tokio::io::split(server);
    let (client_from, client_to) = tokio::io::split(client);
    let (_, _, up, down) = tokio::join!(
        send(client_to, Arc::clone(&data), 50_000),
        send(server_to, Arc::clone(&data), 3000),
        receive(server_from, 8192),
        receive(client_from, 70_000),
    );
    assert!(up == *data && down == *data);
}

#[tokio::test]
async fn vectored_writes_join_small_parts_and_keep_the_order() {
    let data = pattern(200_000);
    let splits: [&[usize]; 5] = [
        &[100, 50, 0, 3],
        &[300, 20_000, 5],
        &[40_000, 10],
        &[0, 0, 7],
        &[16_384, 16_384, 1, 1],
    ];
    let (mut server, client) = ends(V13).await;
    let reading = tokio::spawn(receive(client, 9000));
    let mut sent = Vec::new();
    for split in splits {
        let mut parts = Vec::new();
        let mut at = sent.len();
        for len in split {
            parts.push(IoSlice::new(&data[at..at + len]));
            at += len;
        }
        let written = server.write_vectored(&parts).await.unwrap();
        assert!(written > 0 && written <= at - sent.len());
        sent.extend_from_slice(&data[sent.len()..sent.len() + written]);
    }
    assert_eq!(
        server.write_vectored(&[IoSlice::new(&[])]).await.unwrap(),
        0
    );
    server.shutdown().await.unwrap();
    assert!(reading.await.unwrap() == sent);
}

#[tokio::test]
async fn a_head_and_a_small_body_share_a_record() {
    let (mut server, client) = ends(V13).await;
    let parts = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    assert_eq!(server.write_vectored(&parts).await.unwrap(), 8);
    let (socket, mut session) = client.into_inner();
    let mut socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    let mut state = None;
    while state.is_none_or(|bytes| bytes == 0) {
        session.read_tls(&mut socket).unwrap();
        state = Some(
            session
                .process_new_packets()
                .unwrap()
                .plaintext_bytes_to_read(),
        );
    }
    assert_eq!(state, Some(8));
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_the_writer() {
    let (mut server, client) = ends(V13).await;
    let chunk = vec![7; 1 << 20];
    let mut sent = 0;
    loop {
        let step = std::future::poll_fn(|cx| {
            Poll::Ready(std::pin::Pin::new(&mut server).poll_write(cx, &chunk))
        });
        match step.await {
            Poll::Ready(written) => sent += written.unwrap(),
            Poll::Pending => break,
        }
        assert!(sent < 64 << 20, "no backpressure");
    }
    let Stream::Tls(tls) = &server else {
        unreachable!()
    };
    assert!(tls.held_bytes() < 40_000, "{}", tls.held_bytes());
    // Once the peer reads, all of it arrives.
    let reading = tokio::spawn(receive(client, 1 << 16));
    server.shutdown().await.unwrap();
    assert_eq!(reading.await.unwrap().len(), sent);
    let Stream::Tls(tls) = &server else {
        unreachable!()
    };
    assert_eq!(tls.held_bytes(), 0);
}

#[tokio::test]
async fn each_side_may_end_its_data_alone() {
    for versions in [V12, V13] {
        let (mut server, mut client) = ends(versions).await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        assert!(
            !server.is_quiet(),
            "an ended stream is not to be used again"
        );
        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        text.clear();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer");
        assert!(server.write(b"more").await.is_err());
    }
}

#[tokio::test]
async fn the_end_is_announced() {
    let (mut server, mut client) = ends(V13).await;
    server.shutdown().await.unwrap();
    // tokio-rustls makes an unannounced end an error.
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn readable_and_quiet_follow_the_data() {
    for versions in [V12, V13] {
        let (mut server, mut client) = ends(versions).await;
        assert!(server.is_quiet());
        client.write_all(b"hello").await.unwrap();
        client.flush().await.unwrap();
        readable(&mut server).await;
        assert!(!server.is_quiet());
        // The look has decrypted them; they are still to be read, one by one.
        for expected in b"hello" {
            assert!(is_readable(&mut server).await);
            assert!(!server.is_quiet());
            assert_eq!(server.read_u8().await.unwrap(), *expected);
        }
        assert!(server.is_quiet());
        assert!(!is_readable(&mut server).await);
        client.shutdown().await.unwrap();
        readable(&mut server).await;
        assert!(!server.is_quiet());
    }
}

#[tokio::test]
async fn session_tickets_do_not_disturb_an_idle_upstream_connection() {
    let (_server, mut client) = ours().await;
    // The ticket that came after the handshake makes the socket readable.
    readable(&mut client).await;
    assert!(client.is_quiet());
    assert!(client.is_quiet());
    assert!(!is_readable(&mut client).await);
}

#[tokio::test]
async fn an_upstream_that_closes_or_resets_is_not_quiet() {
    for reset in [false, true] {
        let (server, mut client) = ours().await;
        readable(&mut client).await;
        assert!(client.is_quiet());
        if reset {
            server.socket().reset_on_drop().unwrap();
        }
        drop(server);
        readable(&mut client).await;
        assert!(!client.is_quiet());
    }
}

#[tokio::test]
async fn key_updates_are_followed_and_answered() {
    let (mut server, mut client) = ends(V13).await;
    for round in 0..3 {
        greet(&mut server, &mut client).await.unwrap();
        client.get_mut().1.refresh_traffic_keys().unwrap();
        client.flush().await.unwrap();
        if round == 1 {
            // Also while nobody reads: an idle connection takes it in and stays quiet.
            readable(&mut server).await;
            assert!(server.is_quiet());
        }
    }
    greet(&mut server, &mut client).await.unwrap();
}

#[tokio::test]
async fn a_read_into_no_room_returns_at_once() {
    let (mut server, _client) = ends(V13).await;
    let read = std::future::poll_fn(|cx| {
        let mut none = ReadBuf::new(&mut []);
        Poll::Ready(
            std::pin::Pin::new(&mut server)
                .poll_read(cx, &mut none)
                .is_ready(),
        )
    });
    assert!(read.await);
    assert_eq!(server.write(b"").await.unwrap(), 0);
}

#[test]
fn a_tls_stream_moves_to_another_runtime_with_what_it_holds() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder
            .enable_all()
            .build_local(Default::default())
            .unwrap()
    };
    let here = runtime();
    let (mut server, mut client) = here.block_on(ours());
    here.block_on(async {
        server.write_all(b"early and late").await.unwrap();
        let mut early = [0; 5];
        client.read_exact(&mut early).await.unwrap();
        assert_eq!(&early, b"early");
    });
    let moved = std::thread::spawn(move || {
        runtime().block_on(async {
            let mut client = client.reregister().unwrap();
            let mut late = [0; 9];
            client.read_exact(&mut late).await.unwrap();
            assert_eq!(&late, b" and late");
            client.write_all(b"thanks").await.unwrap();
            client.shutdown().await.unwrap();
        });
    });
    moved.join().unwrap();
    let text = here.block_on(receive(&mut server, 100));
    assert_eq!(text, b"thanks");
}

/// A TLS server by rustls whose session ticket comes in many small records, held back by the test.
struct HeldBack {
    socket: std::net::TcpStream,
    session: rustls::ServerConnection,
    held: Vec<u8>,
}

impl HeldBack {
    fn accept(socket: TcpStream, source: &lintel_tls::CertificateSource) -> Self {
        use rustls_pki_types::pem::PemObject;
        let cert = rustls_pki_types::CertificateDer::from_pem_file(&source.cert).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::from_pem_file(&source.key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(V13)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .unwrap();
        config.max_fragment_size = Some(64);
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let socket = socket.into_std().unwrap();
        socket.set_nonblocking(false).unwrap();
        let mut server = Self {
            socket,
            session,
            held: Vec::new(),
        };
        while server.session.is_handshaking() {
            server.take();
            if server.session.is_handshaking() {
                server.flush();
            }
        }
        // What is left to send now is the tickets.
        while server.session.wants_write() {
            server.session.write_tls(&mut server.held).unwrap();
        }
        server
    }

    fn take(&mut self) {
        self.session.read_tls(&mut self.socket).unwrap();
        self.session.process_new_packets().unwrap();
    }

    fn flush(&mut self) {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket).unwrap();
        }
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        use std::io::Read;
        let mut word = vec![0; len];
        let mut read = 0;
        while read < len {
            match self.session.reader().read(&mut word[read..]) {
                Ok(more) => read += more,
                Err(_) => self.take(),
            }
        }
        word
    }

    fn release(&mut self, upto: usize) {
        use std::io::Write;
        let now: Vec<u8> = self.held.drain(..upto).collect();
        self.socket.write_all(&now).unwrap();
    }
}

#[tokio::test]
async fn a_ticket_that_arrives_in_pieces_does_not_disturb_reads_and_writes_between() {
    let (dir, ca, settings) = simple();
    let connector = Connector::build(&lintel_tls::ClientSettings {
        roots: Roots::File(dir.write("ca.pem", &ca.pem)),
        ..Default::default()
    });
    let connector = connector.unwrap();
    // Into the first record's header, its body, at its end, into the second, and far behind.
    for cut in [3, 20, 0, 7, 200] {
        let (client, server) = sockets().await;
        let source = settings.certificates[0].clone();
        let accepting = tokio::task::spawn_blocking(move || HeldBack::accept(server, &source));
        let mut client = connector.connect("localhost", client).await.unwrap();
        let mut server = accepting.await.unwrap();
        let record = 5 + usize::from(server.held[4]);
        let cut = if cut < 20 { record + cut } else { cut };
        assert!(cut < server.held.len());
        server.release(cut);
        readable(&mut client).await;
        assert!(client.is_quiet(), "cut at {cut}");
        client.write_all(b"between").await.unwrap();
        let mut server = tokio::task::spawn_blocking(move || {
            assert_eq!(server.read(7), b"between");
            server.release(server.held.len());
            std::io::Write::write_all(&mut server.session.writer(), b"after").unwrap();
            server.flush();
            server
        })
        .await
        .unwrap();
        let mut word = [0; 5];
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"after", "cut at {cut}");
        client.write_all(b"end").await.unwrap();
        assert_eq!(server.read(3), b"end");
    }
}

#[tokio::test]
async fn a_handshake_in_progress_is_small() {
    let (_dir, _ca, settings) = simple();
    let acceptor = build(&settings);
    let (server, _client) = sockets().await;
    let size = size_of_val(&acceptor.accept(server));
    assert!(size <= 512, "{size}");
}
