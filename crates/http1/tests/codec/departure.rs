//! Clients that leave while their body waits to be read.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::support::{self, Handler, full};
use bytes::BytesMut;
use http::{Request, Response};
use http_body_util::BodyExt;
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Options, Reply, ServeError};
use lintel_http1::{Io, Peer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// More than is read ahead.
const LENGTH: usize = 200_000;
const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A socket that tells how much of what it has received is not read.
struct Telling(TcpStream, u64);

impl AsyncRead for Telling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Telling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Io for Telling {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    fn is_quiet(&mut self) -> bool {
        self.0.is_quiet()
    }

    fn peer(&mut self) -> Peer {
        match self.0.peer() {
            Peer::Finished { .. } => Peer::Finished { unread: self.1 },
            peer => peer,
        }
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (near.unwrap().0, far.unwrap())
}

fn options(half_close: bool) -> Options {
    Options {
        half_close,
        ..Options::default()
    }
}

/// Serves `message` by a handler that reads nothing and never answers, while its client does something and stays as it is then.
async fn serve_unread<IO: Io>(
    near: IO,
    mut far: TcpStream,
    message: &str,
    half_close: bool,
    leave: impl AsyncFnOnce(TcpStream) -> Option<TcpStream>,
) -> Result<(), ServeError<IO>> {
    let handler = Handler(
        |request: Request<Incoming<IO>>, _: Meta, _: Handle<IO>| async move {
            let _unread = request;
            pending::<Reply<support::Body, IO>>().await
        },
    );
    far.write_all(message.as_bytes()).await.unwrap();
    let (options, drain) = (options(half_close), Drain::new());
    let served = server::serve(near, BytesMut::new(), &handler, &options, &drain);
    let client = async {
        let _left = leave(far).await;
        pending::<()>().await;
    };
    tokio::select! {
        ended = served => ended,
        () = client => unreachable!(),
    }
}

async fn shut(mut far: TcpStream) -> Option<TcpStream> {
    far.shutdown().await.unwrap();
    Some(far)
}

async fn reset(far: TcpStream) -> Option<TcpStream> {
    far.set_zero_linger().unwrap();
    None
}

async fn within_reason<T>(future: impl Future<Output = T>) -> T {
    let served = tokio::time::timeout(Duration::from_secs(60), future).await;
    served.expect("it is still served")
}

#[tokio::test]
async fn a_shut_sending_side_cancels_where_it_counts_as_leaving() {
    let (near, far) = pair().await;
    let ended = within_reason(serve_unread(near, far, CHUNKED, false, shut)).await;
    assert!(matches!(ended, Err(ServeError::ClientGone)));
}

#[tokio::test]
async fn a_body_that_can_never_be_whole_cancels() {
    let (near, far) = pair().await;
    let near = Telling(near, LENGTH as u64 - 1);
    let ended = within_reason(serve_unread(near, far, HEAD, true, shut)).await;
    assert!(matches!(ended, Err(ServeError::ClientGone)));
}

#[tokio::test]
async fn a_reset_cancels() {
    let (near, far) = pair().await;
    let ended = within_reason(serve_unread(near, far, HEAD, true, reset)).await;
    assert!(matches!(ended, Err(ServeError::ClientGone)));
}

/// A client that has sent everything may shut its sending side and wait for the answer, however late its body is read.
#[tokio::test]
async fn a_whole_body_behind_a_shut_sending_side_is_served() {
    let (near, mut far) = pair().await;
    let near = Telling(near, LENGTH as u64);
    let handler = Handler(
        |request: Request<Incoming<Telling>>, _: Meta, handle: Handle<Telling>| async move {
            // Longer than the codec waits between two looks.
            let late = tokio::time::Instant::now() + Duration::from_millis(2500);
            let _late = handle.timer().timeout_at(late, pending::<()>()).await;
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Reply::from(Response::new(full(body.len().to_string())))
        },
    );
    let (options, drain) = (options(true), Drain::new());
    let served = server::serve(near, BytesMut::new(), &handler, &options, &drain);
    let client = async {
        far.write_all(HEAD.as_bytes()).await.unwrap();
        far.write_all(&[b'x'; LENGTH]).await.unwrap();
        far.shutdown().await.unwrap();
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (ended, answer) = tokio::join!(served, client);
    ended.unwrap();
    assert!(answer.ends_with("\r\n\r\n200000"), "{answer}");
}
