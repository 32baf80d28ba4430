#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::connection::Shared;
use super::next::{Wait, Waited};
use super::{Drain, Options};
use crate::chunk::Chunked;
use crate::receive::{Framing, Receiver};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (near.unwrap().0, far.unwrap())
}

/// A read buffer is held while a head is incomplete, and at no other time.
#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    let (near, mut far) = pair().await;
    let (options, drain) = (Options::default(), Drain::new());
    let registration = drain.register();
    let shared = Shared::new(near, BytesMut::new());
    let mut wait = Wait::new(&options, true);
    let mut noop = Context::from_waker(Waker::noop());
    assert!(
        wait.poll(&shared, &options, &registration, true, &mut noop)
            .is_pending()
    );
    assert_eq!(shared.inner.borrow().read.capacity(), 0);

    far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n")
        .await
        .unwrap();
    poll_fn(|cx| {
        // Until the bytes are there the connection is idle, then it waits for the rest of a head.
        let pending = wait
            .poll(&shared, &options, &registration, true, cx)
            .is_pending();
        assert!(pending);
        if shared.inner.borrow().read.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    assert!(shared.inner.borrow().read.capacity() > 0);

    far.write_all(b"\r\n").await.unwrap();
    let waited = poll_fn(|cx| wait.poll(&shared, &options, &registration, true, cx)).await;
    assert!(matches!(waited, Waited::Request(..)));
    let mut wait = Wait::new(&options, false);
    assert!(
        wait.poll(&shared, &options, &registration, false, &mut noop)
            .is_pending()
    );
    let inner = shared.inner.borrow();
    assert_eq!((inner.read.capacity(), inner.read.len()), (0, 0));
}

/// An answer leaves no buffer behind either.
#[tokio::test]
async fn an_answered_connection_holds_no_buffer() {
    let (near, mut far) = pair().await;
    let shared = Shared::new(near, BytesMut::new());
    let options = Options::default();
    let (parts, ()) = http::Response::new(()).into_parts();
    let body = super::respond::Whole(bytes::Bytes::from_static(b"hello"));
    let asked = super::respond::Asked {
        head_only: false,
        connect: false,
        version_1_0: false,
    };
    let plan = super::respond::plan(&parts, &body, false, asked).unwrap();
    let mut answer = super::respond::Answer::begin(&shared, parts, body, plan, true, false);
    poll_fn(|cx| answer.poll(&shared, &options, cx))
        .await
        .unwrap();
    assert!(shared.inner.borrow().interim.holds_nothing());
    super::linger::close(&shared).await;
    let mut output = String::new();
    far.read_to_string(&mut output).await.unwrap();
    assert_eq!(
        output,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
    );
}

/// Nor does a body that waits for more.
#[tokio::test]
async fn a_waiting_body_holds_no_buffer() {
    let (mut near, mut far) = pair().await;
    let (timer, mut read) = (crate::Timer::new(), BytesMut::new());
    let mut receiver = Receiver::new(
        Framing::Chunked(Chunked::new(None)),
        std::time::Duration::from_secs(60),
    );
    for piece in ["3\r\nabc\r\n", "3\r\nabc\r\n"] {
        far.write_all(piece.as_bytes()).await.unwrap();
        let frame = poll_fn(|cx| receiver.poll_frame(&mut near, &mut read, &timer, cx))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&frame.into_data().unwrap()[..], b"abc");
        let mut noop = Context::from_waker(Waker::noop());
        assert!(
            receiver
                .poll_frame(&mut near, &mut read, &timer, &mut noop)
                .is_pending()
        );
        assert_eq!(read.capacity(), 0);
    }
}
