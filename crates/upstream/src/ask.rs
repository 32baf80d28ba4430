//! Asking a service on the gateway's own account: a whole request, and a whole answer of bounded
//! size.

use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, header, request, response};
use http_body::Body as _;
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{Facts, Kind, Side};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{
    Pools, Service,
    deadline::Deadline,
    worker::{Answer, Call, Failure, Rules, Tried},
};

/// A question to a service.
pub struct Ask<'a> {
    /// Method, target in origin-form, fields. A `Host` is added where there is none.
    pub head: request::Parts,
    /// The whole body.
    pub body: Bytes,
    /// The hash that requests share which should meet the same endpoint.
    pub key: Option<u64>,
    /// When all of the answer must be there.
    pub until: Instant,
    /// That time is somebody else's, so that missing it says nothing about the service.
    pub hurried: bool,
    /// Whether it is asked once more when the connection breaks before the answer, whatever its
    /// method: because it changes nothing.
    pub harmless: bool,
    /// Whose rules for trying again hold.
    pub retry: Rules<'a>,
    /// The largest body of an answer, in bytes.
    pub max_answer: usize,
    /// What the service is told of how long the asker waits.
    pub told: Option<Deadline>,
    /// The timer of the task that this runs in.
    pub timer: &'a Timer,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// Status and fields.
    pub head: response::Parts,
    /// The whole body.
    pub body: Bytes,
    /// The fields behind it; gRPC's status is there, or in the head of an answer without a body.
    pub trailers: HeaderMap,
    /// Who answered; none for Unix sockets.
    pub endpoint: Option<SocketAddr>,
    /// How many tries there were.
    pub attempts: u8,
}

/// Why there is no whole answer.
#[derive(Debug)]
pub struct Unanswered {
    /// A stable word for logs and metrics.
    pub code: &'static str,
    /// In words, for the operator; never for the client.
    pub cause: String,
    /// What happened.
    pub facts: Facts,
    /// Who was tried last.
    pub endpoint: Option<SocketAddr>,
    /// How many tries there were.
    pub attempts: u8,
}

impl Pools {
    /// Asks a service, and waits for the head of the answer: its body is read as it is polled, by the
    /// timer of the task. `max_answer` does not bound it.
    ///
    /// # Errors
    /// There is no head in time.
    ///
    /// # Cancel safety
    /// Dropping the future, or the body, closes an HTTP/1 connection and resets an HTTP/2 stream.
    pub async fn open(
        &self,
        service: &Arc<Service>,
        mut ask: Ask<'_>,
    ) -> Result<Answer, Unanswered> {
        name_host(service, &mut ask.head.headers);
        let (timer, until) = (ask.timer, ask.until);
        let asked = Box::pin(self.answer(service, &mut ask));
        let asked = timer.timeout_at(until, asked).await;
        asked.unwrap_or_else(|_elapsed| Err(Unanswered::late()))
    }

    /// Asks a service, and reads the answer to its end.
    ///
    /// # Errors
    /// There is no whole answer in time, or it is larger than it may be.
    ///
    /// # Cancel safety
    /// Dropping the future closes an HTTP/1 connection and resets an HTTP/2 stream.
    pub async fn ask(&self, service: &Arc<Service>, mut ask: Ask<'_>) -> Result<Reply, Unanswered> {
        name_host(service, &mut ask.head.headers);
        let (timer, until) = (ask.timer, ask.until);
        // Boxed: it is large, and `timeout_at` would hold it twice.
        let asked = Box::pin(self.whole(service, &mut ask));
        let asked = timer.timeout_at(until, asked).await;
        asked.unwrap_or_else(|_elapsed| Err(Unanswered::late()))
    }

    async fn answer(
        &self,
        service: &Arc<Service>,
        ask: &mut Ask<'_>,
    ) -> Result<Answer, Unanswered> {
        let mut again = false;
        loop {
            match self.send(service, ask.call()).await {
                // A question that met a connection which the service was about to close.
                Err(failure) if failure.facts.kind == Kind::Reset && ask.harmless && !again => {
                    again = true;
                }
                answered => return Ok(answered?),
            }
        }
    }

    async fn whole(&self, service: &Arc<Service>, ask: &mut Ask<'_>) -> Result<Reply, Unanswered> {
        let Answer {
            response,
            endpoint,
            attempts,
            // The place among the service's requests is held until all of the answer is there.
            place: _place,
            ..
        } = self.answer(service, ask).await?;
        let (head, body) = response.into_parts();
        match whole(body, ask.max_answer).await {
            Ok((body, trailers)) => Ok(Reply {
                head,
                body,
                trailers,
                endpoint,
                attempts,
            }),
            Err(lost) => Err(Unanswered {
                endpoint,
                attempts,
                ..lost
            }),
        }
    }
}

impl Ask<'_> {
    fn call(&mut self) -> Call<'_> {
        Call {
            head: &mut self.head,
            body: match self.body.is_empty() {
                true => Body::empty(),
                false => self.body.clone().into(),
            },
            upgrade: None,
            expect_continue: false,
            te_trailers: false,
            deadline: Some(self.until),
            timer: self.timer,
            interim: &|_, _| {},
            key: self.key,
            tried: Tried::default(),
            retry: self.retry,
            guard: None,
            hurried: self.hurried,
            told: self.told,
        }
    }
}

/// What is asked is no client's request, whose `Host` could be kept.
fn name_host(service: &Service, headers: &mut HeaderMap) {
    if let Some(host) = service.host() {
        headers.entry(header::HOST).or_insert_with(|| host.clone());
    }
}

/// A body to its end, and the trailers behind it.
async fn whole(mut body: Body, max: usize) -> Result<(Bytes, HeaderMap), Unanswered> {
    let (mut pieces, mut size) = (SmallVec::<[Bytes; 4]>::new(), 0);
    let mut trailers = HeaderMap::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame =
            frame.map_err(|error| Unanswered::new("answer_broken", error.cause, error.facts))?;
        match frame.into_data() {
            Ok(data) => {
                size += data.len();
                if size > max {
                    let cause = format!("the answer has more than {max} bytes");
                    let facts = Facts::new(Kind::Limit, Side::Upstream);
                    return Err(Unanswered::new("answer_too_large", cause, facts));
                }
                pieces.push(data);
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    // Most answers are one piece, which need not be copied.
    let body = match pieces.as_slice() {
        [only] => only.clone(),
        pieces => pieces.concat().into(),
    };
    Ok((body, trailers))
}

impl Unanswered {
    /// Without any try.
    pub const fn new(code: &'static str, cause: String, facts: Facts) -> Self {
        Self {
            code,
            cause,
            facts,
            endpoint: None,
            attempts: 0,
        }
    }

    /// Whether time ran out.
    pub fn is_late(&self) -> bool {
        self.facts.kind == Kind::Timeout
    }

    /// Whether the answer is larger than it may be.
    pub fn is_too_large(&self) -> bool {
        self.code == "answer_too_large"
    }

    fn late() -> Self {
        let cause = "no whole answer in time".to_owned();
        Self::new(
            "answer_timeout",
            cause,
            Facts::new(Kind::Timeout, Side::Upstream),
        )
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self {
            endpoint: failure.endpoint,
            attempts: failure.attempts,
            ..Self::new(failure.code, failure.cause, failure.facts)
        }
    }
}
