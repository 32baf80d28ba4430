//! The codec alone as a reverse proxy: one worker, one upstream, nothing in between.
//!
//! `proxy LISTEN UPSTREAM`, for measuring what both sides of the codec cost.
#![allow(clippy::print_stderr, reason = "an example talks to its user")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use lintel_http1::client::{self, Conn, Failure, Recycle, SendOptions};
use lintel_http1::server::{self, Drain, Handle, Meta, Reply, Service};
use lintel_http1::{BodyError, Refusal, RequestLine, recycle_headers};
use tokio::net::{TcpListener, TcpStream};

/// Most idle upstream connections.
const KEEP: usize = 256;

#[derive(Default)]
struct Pool(RefCell<VecDeque<Conn<TcpStream>>>);

impl Recycle<TcpStream> for Pool {
    fn recycle(&self, conn: Conn<TcpStream>) {
        let mut idle = self.0.borrow_mut();
        if idle.len() < KEEP {
            idle.push_back(conn);
        }
    }
}

struct Proxy {
    upstream: SocketAddr,
    pool: Rc<Pool>,
    options: client::Options,
}

enum Answer {
    Upstream(client::Incoming<TcpStream>),
    Own(Bytes),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Own(body) if body.is_empty() => Poll::Ready(None),
            Self::Own(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Upstream(body) => body.is_end_stream(),
            Self::Own(body) => body.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Upstream(body) => body.size_hint(),
            Self::Own(body) => SizeHint::with_exact(body.len() as u64),
        }
    }
}

fn own(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::Own(Bytes::from_static(b"bad gateway\n")));
    *response.status_mut() = status;
    response
}

impl Proxy {
    fn idle(&self) -> Option<Conn<TcpStream>> {
        let mut idle = self.pool.0.borrow_mut();
        loop {
            let mut conn = idle.pop_back()?;
            if conn.is_idle_ok() {
                return Some(conn);
            }
        }
    }

    async fn connect(&self) -> std::io::Result<Conn<TcpStream>> {
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        Ok(Conn::new(stream))
    }
}

impl Service<TcpStream> for Proxy {
    type Body = Answer;

    async fn call(
        &self,
        request: Request<server::Incoming<TcpStream>>,
        _meta: Meta,
        handle: Handle<TcpStream>,
    ) -> Reply<Answer, TcpStream> {
        let (head, mut body) = request.into_parts();
        loop {
            let (conn, reused) = match self.idle() {
                Some(conn) => (conn, true),
                None => match self.connect().await {
                    Ok(conn) => (conn, false),
                    Err(_) => return own(StatusCode::BAD_GATEWAY).into(),
                },
            };
            let recycle: Rc<dyn Recycle<TcpStream>> = self.pool.clone();
            let options = SendOptions::new(&self.options, handle.timer());
            let interim = |status, fields| handle.interim(status, &fields);
            match conn.send(&head, body, options, interim, recycle).await {
                Ok(sent) => {
                    recycle_headers(head.headers);
                    return sent.response.map(Answer::Upstream).into();
                }
                Err(error) => match (error.failure, error.untouched_body) {
                    (Failure::Closed | Failure::Read(_) | Failure::Write(_), Some(untouched))
                        if reused =>
                    {
                        body = untouched;
                    }
                    _ => return own(StatusCode::BAD_GATEWAY).into(),
                },
            }
        }
    }

    fn refused(&self, refusal: Refusal, _: RequestLine) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(refusal.to_string()));
        *response.status_mut() = refusal.status;
        response
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (arguments.next(), arguments.next()) else {
        return Err("usage: proxy LISTEN UPSTREAM".into());
    };
    let upstream = upstream.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(async move {
        let proxy = Rc::new(Proxy {
            upstream,
            pool: Rc::default(),
            options: client::Options::default(),
        });
        let options = Rc::new(server::Options {
            max_requests: u32::MAX,
            ..server::Options::default()
        });
        let drain = Drain::new();
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (proxy, options, drain) = (Rc::clone(&proxy), Rc::clone(&options), drain.clone());
            tokio::task::spawn_local(async move {
                if let Err(error) =
                    server::serve(stream, BytesMut::new(), &*proxy, &options, &drain).await
                {
                    eprintln!("{error}");
                }
            });
        }
    })
}
