//! A scripted service and raw peers on in-memory streams.
#![allow(dead_code, unreachable_pub)]

#[path = "cases/mod.rs"]
pub mod cases;

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use lintel_http1::client::{self, Conn, Recycle, SendError, SendOptions, Sent};
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Reply, ServeError, Service};
use lintel_http1::{BodyError, Refusal, RequestLine, Timer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::LocalSet;

use cases::{Case, Outcome};

pub type Body = UnsyncBoxBody<Bytes, BodyError>;

pub fn full(data: impl Into<Bytes>) -> Body {
    Full::new(data.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A service made of one async closure.
pub struct Handler<F>(pub F);

impl<IO, F, Fut, B> Service<IO> for Handler<F>
where
    F: Fn(Request<Incoming<IO>>, Meta, Handle<IO>) -> Fut,
    Fut: Future<Output = Reply<B, IO>>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
{
    type Body = B;

    fn call(
        &self,
        request: Request<Incoming<IO>>,
        meta: Meta,
        handle: Handle<IO>,
    ) -> impl Future<Output = Reply<B, IO>> {
        (self.0)(request, meta, handle)
    }

    fn refused(&self, refusal: Refusal, _: RequestLine) -> Response<Bytes> {
        Response::builder()
            .status(refusal.status)
            .body(Bytes::from(refusal.to_string()))
            .unwrap()
    }
}

/// What the describing service saw of one request.
pub fn describe<B>(request: &Request<B>, meta: &Meta, body: &[u8]) -> String {
    let mut out = format!(
        "{} {} {:?}\n",
        request.method(),
        request.uri(),
        meta.version
    );
    for (name, value) in request.headers() {
        out += &format!("{name}={}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    if let Some(upgrade) = &meta.upgrade {
        out += &format!("[upgrade {}]\n", upgrade.to_str().unwrap());
    }
    if meta.te_trailers {
        out += "[te trailers]\n";
    }
    out += &format!("[body {}]", String::from_utf8_lossy(body));
    out
}

/// The outcome of serving some bytes.
pub struct Served {
    /// Everything the server wrote.
    pub output: Vec<u8>,
    /// What the service saw, in order.
    pub seen: Vec<String>,
    /// How `serve` ended.
    pub ended: Result<(), String>,
}

impl Served {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    pub fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        text.match_indices("HTTP/1.1 ")
            .map(|(at, found)| text[at + found.len()..][..3].parse().unwrap())
            .collect()
    }
}

pub fn options() -> server::Options {
    server::Options {
        half_close: true,
        ..server::Options::default()
    }
}

/// Feeds the pieces one by one and then ends the sending side; every request is read whole and answered `200 ok`.
pub async fn serve_pieces(pieces: &[&[u8]], options: &server::Options) -> Served {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    let service = Handler(
        move |request: Request<Incoming<DuplexStream>>, meta: Meta, _handle| {
            let log = Rc::clone(&log);
            async move {
                let (parts, body) = request.into_parts();
                match body.collect().await {
                    Ok(body) => {
                        let trailers = body.trailers().cloned();
                        let bytes = body.to_bytes();
                        let mut text = describe(&Request::from_parts(parts, ()), &meta, &bytes);
                        for (name, value) in trailers.iter().flatten() {
                            text += &format!("[trailer {name}={}]", value.to_str().unwrap());
                        }
                        log.borrow_mut().push(text);
                        Reply::from(Response::new(full("ok")))
                    }
                    Err(error) => {
                        log.borrow_mut().push(format!("body error: {error}"));
                        Reply::from(
                            Response::builder()
                                .status(error.status())
                                .body(full("bad body"))
                                .unwrap(),
                        )
                    }
                }
            }
        },
    );
    let (near, mut far) = tokio::io::duplex(256 * 1024);
    let drain = Drain::new();
    let mut output = Vec::new();
    // An error may hold the stream (HTTP/2), which must be closed for the peer to see its end.
    let serving = async {
        let ended = server::serve(near, BytesMut::new(), &service, options, &drain).await;
        ended.map_err(|error: ServeError<_>| error.to_string())
    };
    let feeding = async {
        feed(&mut far, pieces).await;
        far.read_to_end(&mut output).await.unwrap();
    };
    let (ended, ()) = tokio::join!(serving, feeding);
    let seen = seen.take();
    Served {
        output,
        seen,
        ended,
    }
}

/// Writes the pieces one by one, letting the other side work between them, then ends the sending side.
async fn feed(far: &mut DuplexStream, pieces: &[&[u8]]) {
    for piece in pieces {
        if far.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let _gone = far.shutdown().await;
}

pub async fn serve_bytes(input: &[u8]) -> Served {
    serve_pieces(&[input], &options()).await
}

/// A pool of one.
#[derive(Default)]
pub struct Shelf<IO>(pub RefCell<Vec<Conn<IO>>>);

impl<IO> Recycle<IO> for Shelf<IO> {
    fn recycle(&self, conn: Conn<IO>) {
        self.0.borrow_mut().push(conn);
    }
}

impl<IO> Shelf<IO> {
    pub fn shared() -> Rc<Self> {
        Rc::new(Self(RefCell::new(Vec::new())))
    }
}

/// What came of one request.
pub struct Got {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Result<Bytes, String>,
    pub trailers: Option<http::HeaderMap>,
    pub interims: Vec<u16>,
    pub recycled: bool,
    /// What the upstream received.
    pub request: Vec<u8>,
}

/// Sends `request`; the upstream answers with the pieces, then ends its sending side, and notes what it received.
pub async fn fetch_pieces(
    request: Request<Body>,
    answer: &[&[u8]],
    upgrade: bool,
) -> Result<Got, String> {
    let (near, mut far) = tokio::io::duplex(256 * 1024);
    let shelf = Shelf::shared();
    let timer = Timer::new();
    let options = client::Options::default();
    let protocol = http::HeaderValue::from_static("websocket");
    let mut how = SendOptions::new(&options, &timer);
    how.upgrade = upgrade.then_some(&protocol);
    let (parts, body) = request.into_parts();
    let mut interims = Vec::new();
    let conn = Conn::new(near);
    let back: Rc<dyn Recycle<DuplexStream>> = shelf.clone();
    let upstream = async {
        feed(&mut far, answer).await;
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.unwrap();
        received
    };
    let asking = async {
        let sent: Result<Sent<_>, SendError<_, _>> = conn
            .send(
                &parts,
                body,
                how,
                |status, _| interims.push(status.as_u16()),
                back,
            )
            .await;
        let sent = sent.map_err(|error| format!("{error}"))?;
        let (parts, body) = sent.response.into_parts();
        let (body, trailers) = match body.collect().await {
            Ok(collected) => {
                let trailers = collected.trailers().cloned();
                (Ok(collected.to_bytes()), trailers)
            }
            Err(error) => (Err(error.to_string()), None),
        };
        let recycled = shelf.0.take().pop().is_some();
        Ok::<_, String>((parts, body, trailers, recycled))
    };
    let (got, request) = tokio::join!(asking, upstream);
    let (parts, body, trailers, recycled) = got?;
    Ok(Got {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        trailers,
        interims,
        recycled,
        request,
    })
}

pub async fn fetch(request: Request<Body>, answer: &[u8]) -> Result<Got, String> {
    fetch_pieces(request, &[answer], false).await
}

/// Runs a test that spawns local tasks.
pub async fn local<F: Future>(future: F) -> F::Output {
    LocalSet::new().run_until(future).await
}

impl Outcome {
    pub fn check(&self, section: &str, name: &str, served: &Served) {
        let context = format!(
            "{section}, {name}: saw {:?}, wrote {:?}, {:?}",
            served.seen,
            served.text(),
            served.ended
        );
        match self {
            Self::Refused(status) => {
                assert!(served.seen.is_empty(), "{context}");
                assert_eq!(served.statuses(), [*status], "{context}");
                assert!(
                    served.text().contains("\r\nconnection: close\r\n"),
                    "{context}"
                );
                assert!(served.ended.is_err(), "{context}");
            }
            Self::Seen(text) | Self::SeenThen400(text) => {
                assert_eq!(served.seen.len(), 1, "{context}");
                // Bytes beyond ASCII are shown as U+FFFD or, if they are UTF-8, as themselves.
                assert!(served.seen[0].contains(text), "{context}");
                assert_eq!(served.statuses().len(), 1, "{context}");
            }
        }
        if matches!(self, Self::SeenThen400(_)) {
            assert_eq!(served.statuses(), [400], "{context}");
            assert!(
                served.text().contains("\r\nconnection: close\r\n"),
                "{context}"
            );
        }
    }
}

pub async fn check_requests(cases: &[Case]) {
    for Case(section, name, input, outcome) in cases {
        outcome.check(section, name, &serve_bytes(input).await);
    }
}

/// One answer of an upstream as raw bytes, like [`Case`].
pub struct Answer(
    pub &'static str,
    pub &'static str,
    pub &'static [u8],
    pub Reaction,
);

pub enum Reaction {
    /// Status and body, and the connection goes back to the pool.
    Kept(u16, &'static str),
    /// The same after these interim responses.
    KeptAfter(&'static [u16], u16, &'static str),
    /// Status and body, and the connection is closed.
    Closed(u16, &'static str),
    /// Status, and a body that ends with the error of a cut-off one.
    CutOff(u16),
    /// Status, and a body that ends with this error.
    BadBody(u16, &'static str),
    /// No answer, with this error.
    Bad(&'static str),
}

pub async fn check_answers(cases: &[Answer]) {
    check_answers_to(http::Method::GET, cases).await;
}

pub async fn check_answers_to(method: http::Method, cases: &[Answer]) {
    for Answer(section, name, bytes, reaction) in cases {
        let request = Request::builder()
            .method(method.clone())
            .uri("http://u/")
            .body(empty())
            .unwrap();
        let got = fetch(request, bytes).await;
        let context = format!("{section}, {name}");
        let got = match (got, reaction) {
            (Err(error), Reaction::Bad(text)) => {
                assert!(error.contains(text), "{context}: {error}");
                continue;
            }
            (Err(error), _) => panic!("{context}: {error}"),
            (Ok(got), Reaction::Bad(_)) => {
                panic!("{context}: accepted with {}, {:?}", got.status, got.body)
            }
            (Ok(got), _) => got,
        };
        let body = got
            .body
            .as_ref()
            .map(|body| String::from_utf8_lossy(body).into_owned());
        let cut = "body ended before its end";
        let (interims, status, wanted, recycled): (&[u16], _, Result<&str, &str>, _) =
            match reaction {
                Reaction::Kept(status, body) => (&[], status, Ok(body), true),
                Reaction::KeptAfter(interims, status, body) => (interims, status, Ok(body), true),
                Reaction::Closed(status, body) => (&[], status, Ok(body), false),
                Reaction::CutOff(status) => (&[], status, Err(cut), false),
                Reaction::BadBody(status, error) => (&[], status, Err(error), false),
                Reaction::Bad(_) => unreachable!(),
            };
        assert_eq!(got.status, *status, "{context}");
        assert_eq!(got.interims, interims, "{context}");
        match (&body, wanted) {
            (Ok(body), Ok(wanted)) => assert_eq!(body, wanted, "{context}"),
            (Err(error), Err(wanted)) => assert!(error.contains(wanted), "{context}: {error}"),
            _ => panic!("{context}: {body:?} instead of {wanted:?}"),
        }
        assert_eq!(got.recycled, recycled, "{context}");
    }
}

/// A body of unknown length made of these frames, first to last.
pub struct Frames(std::collections::VecDeque<Result<http_body::Frame<Bytes>, BodyError>>);

impl Frames {
    pub fn new(frames: Vec<Result<http_body::Frame<Bytes>, BodyError>>) -> Self {
        Self(frames.into())
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}
