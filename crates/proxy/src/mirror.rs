//! Mirroring: a share of a route's requests goes to a second service as well, the *shadow*.
//!
//! The client's request never waits for it and never fails because of it. A request without a body
//! is sent to the shadow at once, one with a body once all of it has passed to the service, from a
//! copy. Each has a task of its own; their number is bounded, and what does not fit is not mirrored.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header, request};
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError, http1::Timer};
use lintel_kernel::{Kind, Names as _, hash::Digest};
use lintel_telemetry::{
    log::OncePer,
    metrics::family::{MIRROR_COMPARED, MIRROR_REQUESTS},
};
use lintel_upstream::{Call, Failure, Rules, Tried};
use tokio::time::Instant;

use crate::{
    active::Active,
    copied::{Copy, copied},
    worker::{Local, Worker},
};

/// What of a route's requests a shadow gets.
pub struct Mirror {
    /// The shadow, by its index.
    pub service: usize,
    /// The share of requests, from 0.0 to 1.0.
    pub share: f64,
    /// How many requests may be on their way to the shadow at once, for each worker.
    pub max_in_flight: u32,
    /// The largest body that is mirrored, in bytes.
    pub max_body: usize,
    /// How long the shadow may take for the whole of an answer.
    pub timeout: Duration,
    /// The field that marks mirrored requests.
    pub header: HeaderName,
    /// What is put behind the first label of `Host`.
    pub host_suffix: Option<String>,
    /// What is compared of the two answers.
    pub compare: Option<Compare>,
}

/// What of two answers must be alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compare {
    /// Their statuses.
    pub status: bool,
    /// Their bodies, byte by byte.
    pub body: bool,
}

/// What became of a mirrored request; the labels of `lintel_mirror_requests_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Failed,
    Timeout,
    Full,
    Body,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Full => "full",
            Self::Body => "body",
        }
    }
}

/// A request that is to be sent to the shadow.
struct Shadow {
    worker: Rc<Worker>,
    local: Rc<Local>,
    route: u32,
    head: request::Parts,
    te_trailers: bool,
    /// Where the shadow is balanced by a hash, what requests have in common that belong together.
    key: Option<u64>,
    pair: Option<Rc<Pair>>,
    _place: Place,
}

/// One of the places for requests on their way.
struct Place(Rc<Cell<u32>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Mirror {
    /// Lets the shadow have a request, if it is its turn, on its way to the service: returns the
    /// body that the service gets, and what watches its answer.
    pub(crate) fn begin(
        &self,
        active: &Active,
        body: Body,
        te_trailers: bool,
    ) -> (Body, Option<Rc<Pair>>) {
        if fastrand::f64() >= self.share {
            return (body, None);
        }
        let (local, route) = (&active.local, active.exchange.route.unwrap_or(u32::MAX));
        let in_flight = local.mirrored(route);
        if in_flight.get() >= self.max_in_flight {
            count(local, route, Outcome::Full);
            return (body, None);
        }
        in_flight.set(in_flight.get() + 1);
        let pair = self
            .compare
            .map(|compare| Pair::new(compare, active, route));
        let shadow = Shadow {
            worker: Rc::clone(active.worker()),
            local: Rc::clone(local),
            route,
            head: self.head(&active.exchange.request),
            te_trailers,
            key: local
                .snapshot
                .services
                .get(self.service)
                .and_then(|service| service.key(&active.exchange)),
            pair: pair.clone(),
            _place: Place(in_flight),
        };
        let body = copied(body, self.max_body, move |copy| match copy {
            Copy::Whole(bytes) => drop(tokio::task::spawn_local(shadow.run(bytes))),
            Copy::TooLarge | Copy::Broken => count(&shadow.local, shadow.route, Outcome::Body),
        });
        (body, pair)
    }

    fn head(&self, head: &request::Parts) -> request::Parts {
        let mut head = head.clone();
        head.headers
            .insert(&self.header, HeaderValue::from_static("true"));
        let host = head.headers.get(header::HOST);
        let marked = self.host_suffix.as_ref().zip(host);
        if let Some(marked) = marked.and_then(|(suffix, host)| suffixed(host, suffix)) {
            head.headers.insert(header::HOST, marked);
        }
        head
    }
}

/// `api.example.com:8080` and `-shadow` make `api-shadow.example.com:8080`.
fn suffixed(host: &HeaderValue, suffix: &str) -> Option<HeaderValue> {
    let host = host.to_str().ok()?;
    let end = host.find(['.', ':']).unwrap_or(host.len());
    let (label, rest) = host.split_at_checked(end)?;
    HeaderValue::try_from(format!("{label}{suffix}{rest}")).ok()
}

fn count(local: &Local, route: u32, outcome: Outcome) {
    let labels = [local.route(route), outcome.name()];
    local.count(&MIRROR_REQUESTS, [route, outcome as u32, 0], &labels);
}

impl Shadow {
    async fn run(mut self, body: Bytes) {
        let outcome = self.send(body).await;
        count(&self.local, self.route, outcome);
    }

    async fn send(&mut self, body: Bytes) -> Outcome {
        let local = Rc::clone(&self.local);
        let snapshot = &local.snapshot;
        let mirror = snapshot
            .routes
            .get(self.route as usize)
            .and_then(|route| route.mirror.as_ref());
        let Some((mirror, service)) =
            mirror.and_then(|mirror| Some((mirror, snapshot.services.get(mirror.service)?)))
        else {
            return Outcome::Failed;
        };
        let timer = Timer::new();
        let deadline = Instant::now() + mirror.timeout;
        let call = Call {
            head: &mut self.head,
            body: if body.is_empty() {
                Body::empty()
            } else {
                body.into()
            },
            upgrade: None,
            expect_continue: false,
            te_trailers: self.te_trailers,
            deadline: Some(deadline),
            timer: &timer,
            interim: &|_, _| {},
            key: self.key,
            tried: Tried::default(),
            // A request that nobody waits for is not worth a second try.
            retry: Rules::Nobody,
            guard: None,
            hurried: false,
            told: None,
        };
        match self.worker.pools.send(service, call).await {
            Ok(answer) => {
                let read = read(answer.response, self.pair.as_deref());
                match timer.timeout_at(deadline, read).await {
                    Ok(Ok(())) => Outcome::Answered,
                    Ok(Err(_)) => Outcome::Failed,
                    Err(_) => Outcome::Timeout,
                }
            }
            Err(Failure { facts, .. }) if facts.kind == Kind::Timeout => Outcome::Timeout,
            Err(_) => Outcome::Failed,
        }
    }
}

/// Reads the shadow's answer to its end, so that the connection can be used again.
async fn read(response: Response<Body>, pair: Option<&Pair>) -> Result<(), BodyError> {
    let mut seen = Seen::of(&response);
    let mut body = response.into_body();
    while let Some(frame) =
        std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await
    {
        if let Some(data) = frame?.data_ref() {
            seen.digest.update(data);
        }
    }
    if let Some(pair) = pair {
        pair.see(&pair.shadow, seen);
    }
    Ok(())
}

/// The two answers to one request; whoever comes second compares.
pub(crate) struct Pair {
    compare: Compare,
    local: Rc<Local>,
    route: u32,
    request_id: Box<str>,
    service: Cell<Option<Seen>>,
    shadow: Cell<Option<Seen>>,
}

/// What is compared of an answer.
#[derive(Clone, Copy)]
struct Seen {
    status: u16,
    digest: Digest,
}

impl Seen {
    fn of<B>(response: &Response<B>) -> Self {
        Self {
            status: response.status().as_u16(),
            digest: Digest::default(),
        }
    }
}

impl Pair {
    fn new(compare: Compare, active: &Active, route: u32) -> Rc<Self> {
        Rc::new(Self {
            compare,
            local: Rc::clone(&active.local),
            route,
            request_id: active.exchange.id.as_str().into(),
            service: Cell::new(None),
            shadow: Cell::new(None),
        })
    }

    /// The service's answer, watched as it passes.
    pub(crate) fn watch(self: Rc<Self>, response: Response<Body>) -> Response<Body> {
        let mut seen = Seen::of(&response);
        if http_body::Body::is_end_stream(response.body()) {
            self.see(&self.service, seen);
            return response;
        }
        if !self.compare.body {
            seen.digest = Digest::default();
            self.see(&self.service, seen);
            return response;
        }
        response.map(|body| {
            Body::boxed(Watched {
                body,
                seen,
                pair: Some(self),
            })
        })
    }

    fn see(&self, place: &Cell<Option<Seen>>, seen: Seen) {
        place.set(Some(seen));
        if let (Some(service), Some(shadow)) = (self.service.get(), self.shadow.get()) {
            self.report(service, shadow);
        }
    }

    fn report(&self, service: Seen, shadow: Seen) {
        let result = if self.compare.status && service.status != shadow.status {
            "status"
        } else if self.compare.body && service.digest.finish() != shadow.digest.finish() {
            "body"
        } else {
            "same"
        };
        let labels = [self.local.route(self.route), result];
        let key = [
            self.route,
            u32::from(result == "status"),
            u32::from(result == "body"),
        ];
        self.local.count(&MIRROR_COMPARED, key, &labels);
        static DIFFERENT: OncePer = OncePer::new(Duration::from_secs(10));
        if result != "same"
            && let Some(suppressed) = DIFFERENT.pass()
        {
            tracing::warn!(
                route = self.local.route(self.route),
                request_id = &*self.request_id,
                differs = result,
                status = service.status,
                mirror_status = shadow.status,
                suppressed,
                "the mirror answered differently"
            );
        }
    }
}

/// The body of the service's answer on its way to the client.
struct Watched {
    body: Body,
    seen: Seen,
    pair: Option<Rc<Pair>>,
}

impl Watched {
    fn end(&mut self) {
        if let Some(pair) = self.pair.take() {
            pair.see(&pair.service, self.seen);
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.seen.digest.update(data);
                }
                if self.body.is_end_stream() {
                    self.end();
                }
            }
            Poll::Ready(None) => self.end(),
            // Half an answer is not compared.
            Poll::Ready(Some(Err(_))) => self.pair = None,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_suffix_marks_the_first_label() {
        for (host, marked) in [
            ("api.example.com", "api-shadow.example.com"),
            ("localhost:8080", "localhost-shadow:8080"),
            ("api", "api-shadow"),
        ] {
            let host = HeaderValue::from_static(host);
            assert_eq!(suffixed(&host, "-shadow").unwrap(), marked);
        }
    }
}
