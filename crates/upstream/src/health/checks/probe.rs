//! One request on a connection of its own.

use std::{future::poll_fn, pin::Pin, rc::Rc};

use ::http::{HeaderMap, StatusCode, request::Parts, response};
use bytes::Bytes;
use http_body::Body as _;
use lintel_http::Body;
use lintel_http1::{
    Timer,
    client::{Conn, Recycle, SendOptions},
};
use lintel_tls::Stream;
use tokio::task::JoinHandle;

use crate::{
    service::{Endpoint, Service},
    worker::{
        connect::{self, Offer, Speaks},
        http2::{self, NoAnswer},
        upload::Upload,
    },
};

/// Bytes of a body that are read. An endpoint that says that it is well and then gets stuck is not.
const MAX_BODY: usize = 64 * 1024;

/// What an endpoint answered.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// The body, up to a limit.
    pub body: Vec<u8>,
    /// The fields behind a body that was read to its end.
    pub trailers: Option<HeaderMap>,
}

/// Sends a request, over whatever version of HTTP the endpoint speaks. `head` has an origin-form
/// target and a `Host`.
pub(super) async fn ask(
    service: &Service,
    endpoint: &Endpoint,
    head: &Parts,
    body: Bytes,
) -> Result<Reply, String> {
    ask_one(service, endpoint, (head, body), MAX_BODY).await
}

/// The same, with so many bytes of the answer.
pub(crate) async fn ask_one(
    service: &Service,
    endpoint: &Endpoint,
    (head, body): (&Parts, Bytes),
    limit: usize,
) -> Result<Reply, String> {
    let (stream, speaks) = connect::connect(service, endpoint, Offer::Any)
        .await
        .map_err(|error| error.text)?;
    let body = if body.is_empty() {
        Body::empty()
    } else {
        Body::from(body)
    };
    match speaks {
        Speaks::Http1 => over_http1(service, stream, (head, body), limit).await,
        Speaks::Http2 => over_http2(service, (stream, endpoint), (head, body), limit).await,
    }
}

async fn over_http1(
    service: &Service,
    stream: Stream,
    (head, body): (&Parts, Body),
    limit: usize,
) -> Result<Reply, String> {
    /// The connection is closed after its one request.
    struct Close;
    impl Recycle<Stream> for Close {
        fn recycle(&self, conn: Conn<Stream>) {
            drop(conn);
        }
    }
    let timer = Timer::new();
    let options = SendOptions::new(&service.http1, &timer);
    let sent = Conn::new(stream)
        .send(head, body, options, |_, _| {}, Rc::new(Close))
        .await
        .map_err(|error| error.failure.to_string())?;
    let (parts, body) = sent.response.map(Body::from).into_parts();
    read(parts, body, limit).await
}

async fn over_http2(
    service: &Service,
    (stream, endpoint): (Stream, &Endpoint),
    (head, body): (&Parts, Body),
    limit: usize,
) -> Result<Reply, String> {
    let request =
        http2::request(head, endpoint, false, Upload::new(body)).map_err(|(why, _)| why)?;
    let (sender, connection) = http2::builder()
        .handshake(stream)
        .await
        .map_err(|error| format!("HTTP/2 could not be begun: {error}"))?;
    let _driver = Aborted(tokio::task::spawn_local(async move {
        // How it ends shows in the answer.
        let _ = connection.await;
    }));
    let terms = http2::Terms {
        timer: &Timer::new(),
        idle: service.spec().timeouts.idle,
        expect_continue: None,
        interim: &|_, _| {},
    };
    let response = http2::exchange(sender, request, terms).await;
    let (parts, body) = response.map_err(|why| no_answer(&why))?.into_parts();
    let body = body.map_or_else(Body::empty, Body::from);
    read(parts, body, limit).await
}

fn no_answer(why: &NoAnswer) -> String {
    match why {
        NoAnswer::Unsent(error, _) | NoAnswer::Lost(error) => format!("no answer: {error}"),
        NoAnswer::TooManyInterim => "too many interim responses".to_owned(),
    }
}

async fn read(head: response::Parts, mut body: Body, limit: usize) -> Result<Reply, String> {
    let mut reply = Reply {
        status: head.status,
        headers: head.headers,
        body: Vec::new(),
        trailers: None,
    };
    while reply.body.len() < limit {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| format!("the answer broke off: {}", error.cause))?;
        match frame.into_data() {
            Ok(data) => {
                let room = limit - reply.body.len();
                reply.body.extend(data.into_iter().take(room));
            }
            Err(frame) => reply.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(reply)
}

/// Ends a task when dropped.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
