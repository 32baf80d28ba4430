//! Sockets without TLS.

use std::io::IoSlice;
use std::task::Poll;

use lintel_http1::Peer;
use lintel_tls::{Socket, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::*;

/// One poll of the stream's readability, without waiting.
pub async fn is_readable(stream: &mut Stream) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(stream.poll_readable(cx).is_ready())).await
}

/// Waits until the reactor knows of something to read.
pub async fn readable(stream: &mut Stream) {
    std::future::poll_fn(|cx| stream.poll_readable(cx))
        .await
        .unwrap();
}

#[test]
fn a_stream_is_small() {
    assert!(size_of::<Socket>() <= 48, "{}", size_of::<Socket>());
    assert!(size_of::<Stream>() <= 48, "{}", size_of::<Stream>());
}

#[tokio::test]
async fn quiet_until_something_comes() {
    let (server, mut client) = sockets().await;
    let mut server = Stream::from(server);
    assert!(server.tls_info().is_none() && server.peer_certificate().is_none());
    assert!(server.is_quiet());
    client.write_all(b"x").await.unwrap();
    readable(&mut server).await;
    assert!(!server.is_quiet());
    server.read_exact(&mut [0]).await.unwrap();
    // Readiness may linger after a read that filled the buffer; a look at the queue settles it.
    assert!(server.is_quiet());
    assert!(!is_readable(&mut server).await);
    drop(client);
    readable(&mut server).await;
    assert!(!server.is_quiet());
}

#[tokio::test]
async fn how_the_other_side_left_is_known_without_reading() {
    let (server, mut client) = sockets().await;
    let mut server = Stream::from(server);
    assert_eq!(server.peer(), Peer::There);
    client.write_all(b"hello").await.unwrap();
    readable(&mut server).await;
    assert_eq!(server.peer(), Peer::There);
    server.read_exact(&mut [0; 2]).await.unwrap();
    client.shutdown().await.unwrap();
    let finished = Peer::Finished { unread: 3 };
    settled(|| server.peer() == finished).await;

    let (server, client) = sockets().await;
    client.set_zero_linger().unwrap();
    drop(client);
    settled(|| server.peer() == Peer::Gone).await;
}

/// Lets the reactor have its turn until it has noticed.
async fn settled(mut noticed: impl FnMut() -> bool) {
    while !noticed() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reset_is_not_quiet() {
    let (server, client) = sockets().await;
    let mut server = Stream::from(server);
    Socket::from(client).reset_on_drop().unwrap();
    readable(&mut server).await;
    assert!(!server.is_quiet());
}

#[tokio::test]
async fn unix_sockets_do_the_same() {
    let (one, mut two) = UnixStream::pair().unwrap();
    let mut one = Stream::from(Socket::from(one));
    assert!(one.is_quiet());
    assert_eq!(
        (one.socket().peer_addr(), one.socket().local_addr()),
        (None, None)
    );
    one.socket().set_nodelay(true).unwrap();
    one.socket().reset_on_drop().unwrap();
    two.write_all(b"hello").await.unwrap();
    readable(&mut one).await;
    assert!(!one.is_quiet());
    let mut seen = [0; 8];
    assert_eq!(one.socket().peek(&mut seen).await.unwrap(), 5);
    assert_eq!(&seen[..5], b"hello");
    let mut word = [0; 5];
    one.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"hello");
    let parts = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
    assert_eq!(one.write_vectored(&parts).await.unwrap(), 3);
    one.shutdown().await.unwrap();
    let mut rest = Vec::new();
    two.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"abc");
}

#[tokio::test]
async fn addresses_and_options() {
    let (server, client) = sockets().await;
    assert_eq!(server.peer_addr(), client.local_addr().ok());
    assert_eq!(server.local_addr(), client.peer_addr().ok());
    server.set_nodelay(true).unwrap();
    let Socket::Tcp(io) = &server else {
        unreachable!()
    };
    assert!(io.nodelay().unwrap());
}

#[test]
fn a_socket_moves_to_another_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder
            .enable_all()
            .build_local(Default::default())
            .unwrap()
    };
    let (here, there) = (runtime(), runtime());
    let (server, mut client) = here.block_on(sockets());
    here.block_on(client.write_all(b"before")).unwrap();
    let mut server = there.block_on(async move {
        let mut server = Stream::from(server).reregister().unwrap();
        readable(&mut server).await;
        let mut word = [0; 6];
        server.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"before");
        server
    });
    drop(client);
    assert_eq!(there.block_on(server.read(&mut [0])).unwrap(), 0);
}
