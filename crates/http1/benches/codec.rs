//! Parsing and writing one plain request and its answer, without a socket.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use divan::Bencher;
use divan::counter::ItemsCount;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use lintel_http1::client::{self, Conn, Recycle, SendOptions};
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Reply, Service};
use lintel_http1::{Io, Refusal, RequestLine, Timer, recycle_headers};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const REQUEST: &[u8] = b"GET /v1/orders/12345?expand=items HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0\r\n\
Accept: application/json\r\nAccept-Encoding: gzip\r\nX-Request-Id: 0123456789abcdef\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
Content-Type: application/json\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\r\n\
0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

/// Gives the same bytes again and again, and forgets what is written.
struct Loop {
    bytes: &'static [u8],
    left: usize,
    /// Reads only after a write, as an upstream answers.
    answers: bool,
}

impl AsyncRead for Loop {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left > 0 {
            self.left -= 1;
            buf.put_slice(self.bytes);
        } else if self.answers {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Loop {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.answers {
            self.left = 1;
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Io for Loop {
    const ORDERLY_DROP: bool = true;

    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 && self.answers {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn is_quiet(&mut self) -> bool {
        true
    }
}

struct Hello;

struct Text(Bytes);

impl Body for Text {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = std::mem::take(&mut self.0);
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

impl Service<Loop> for Hello {
    type Body = Text;

    async fn call(
        &self,
        request: Request<Incoming<Loop>>,
        _: Meta,
        _: Handle<Loop>,
    ) -> Reply<Text, Loop> {
        recycle_headers(divan::black_box(request).into_parts().0.headers);
        let mut response = Response::new(Text(Bytes::from_static(&[b'x'; 100])));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response.into()
    }

    fn refused(&self, _: Refusal, _: RequestLine) -> Response<Bytes> {
        Response::new(Bytes::new())
    }
}

const BATCH: usize = 1000;

/// A future that never waits, in a runtime for its timers.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the scripted stream is always ready"),
    }
}

#[divan::bench]
fn server_side(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let (options, drain) = (
        server::Options {
            max_requests: u32::MAX,
            ..server::Options::default()
        },
        Drain::new(),
    );
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let io = Loop {
            bytes: REQUEST,
            left: BATCH,
            answers: false,
        };
        run(server::serve(io, BytesMut::new(), &Hello, &options, &drain)).unwrap();
    });
}

#[derive(Default)]
struct Slot(RefCell<Option<Conn<Loop>>>);

impl Recycle<Loop> for Slot {
    fn recycle(&self, conn: Conn<Loop>) {
        *self.0.borrow_mut() = Some(conn);
    }
}

#[divan::bench]
fn client_side(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let (options, timer, slot) = (
        client::Options::default(),
        Timer::new(),
        Rc::new(Slot::default()),
    );
    *slot.0.borrow_mut() = Some(Conn::new(Loop {
        bytes: ANSWER,
        left: 0,
        answers: true,
    }));
    let request = Request::get("/v1/orders/12345?expand=items")
        .header("host", "api.example.com")
        .header("user-agent", "Mozilla/5.0")
        .header("accept", "application/json")
        .header("x-request-id", "0123456789abcdef");
    let (head, ()) = request.body(()).unwrap().into_parts();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            let conn = slot.0.borrow_mut().take().unwrap();
            let back: Rc<dyn Recycle<Loop>> = slot.clone();
            let sent = conn.send(
                &head,
                Text(Bytes::new()),
                SendOptions::new(&options, &timer),
                |_, _| {},
                back,
            );
            let Ok(sent) = run(sent) else {
                unreachable!("the scripted answer is well formed")
            };
            recycle_headers(divan::black_box(sent.response).into_parts().0.headers);
        }
    });
}

fn main() {
    divan::main();
}
