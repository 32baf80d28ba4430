//! Services that policies ask before they decide.

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Uri, header, request, response};
use http_body::Body as _;
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{Exchange, Fault, Kind};
use lintel_upstream::{
    Call, Failure, Rules, Service, Tried,
    service::{HostRule, Protocol, Scheme},
};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{Context, Wait};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A declared service that a policy asks while a request waits: over the worker's own connections,
/// with the service's health, breaker and rules for trying again, counted like every request to it.
#[derive(Clone)]
pub struct Backend {
    name: Arc<str>,
    /// Without one nothing is asked.
    service: Option<Arc<Service>>,
    timeout: Duration,
    max_answer: usize,
}

/// What a policy asks.
#[derive(Debug)]
pub struct Question {
    /// Method, target in origin-form, fields. A `Host` is added where there is none.
    pub head: request::Parts,
    /// The whole body.
    pub body: Bytes,
    /// The hash that requests share which should meet the same endpoint.
    key: Option<u64>,
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
}

/// Why there is no whole answer.
#[derive(Debug)]
pub struct Unanswered {
    /// A stable word for logs and metrics.
    pub code: &'static str,
    /// In words, for the operator; never for the client.
    pub cause: String,
    /// Whether time ran out.
    pub timeout: bool,
}

/// A name in a policy's configuration that has to be that of a declared service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRef<'a> {
    /// Where it stands, below the policy's key.
    pub path: Vec<&'a str>,
    /// The name.
    pub name: &'a str,
}

impl Backend {
    /// The service of this name, which has `timeout` for a whole answer of at most `max_answer`
    /// bytes. Where nothing outside the process may be asked ([`Context::dry`]), whatever the name
    /// is: that it is known is found out by [`Policy::services`](crate::Policy::services).
    ///
    /// # Errors
    /// There is no such service.
    pub fn build(
        context: &Context,
        name: &str,
        timeout: Duration,
        max_answer: usize,
    ) -> Result<Self, Fault> {
        let service = context.services.get(name).filter(|_| !context.dry);
        if service.is_none() && !context.dry {
            return Err(Fault::new(format!("there is no service `{name}`")));
        }
        Ok(Self {
            name: name.into(),
            service: service.map(Arc::clone),
            timeout,
            max_answer,
        })
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long it has for an answer.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether this is a rehearsal, in which nothing is asked. A policy then does what its page
    /// says, and never waits.
    pub const fn is_rehearsed(&self) -> bool {
        self.service.is_none()
    }

    /// Whether connections to it can be HTTP/2, as gRPC needs.
    pub fn may_speak_http2(&self) -> bool {
        let Some(service) = &self.service else {
            return true;
        };
        let spec = service.spec();
        match spec.protocol {
            Protocol::Http2 => true,
            Protocol::Http1 => false,
            // By what ALPN settles; plain connections are HTTP/1.1.
            Protocol::Auto => spec
                .endpoints
                .iter()
                .all(|endpoint| endpoint.scheme == Scheme::Https),
        }
    }

    /// A request about another one, part of the same trace.
    pub fn question(&self, about: &Exchange, method: Method, target: Uri) -> Question {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        head.uri = target;
        head.headers.insert(TRACEPARENT, about.trace.to_header());
        if about.trace.parent_id != 0
            && let Some(state) = about.request.headers.get(TRACESTATE)
        {
            head.headers.insert(TRACESTATE, state.clone());
        }
        Question {
            head,
            body: Bytes::new(),
            key: self.service.as_ref().and_then(|own| own.key(about)),
        }
    }

    /// Asks, and reads the answer to its end. Takes no longer than its own timeout and
    /// `wait.deadline` allow.
    ///
    /// # Errors
    /// There is no whole answer, or it is larger than it may be.
    ///
    /// # Cancel safety
    /// Dropping the future closes an HTTP/1 connection and resets an HTTP/2 stream.
    pub async fn ask(&self, wait: &Wait<'_>, mut question: Question) -> Result<Reply, Unanswered> {
        let Some(service) = &self.service else {
            return Err(Unanswered::new("rehearsed", "nothing is asked".to_owned()));
        };
        let own = Instant::now() + self.timeout;
        let until = wait.deadline.min(own);
        name_host(service, &mut question.head.headers);
        // What is left of the route's time says nothing about the service.
        let hurried = wait.deadline < own;
        // Boxed: it is large, and `timeout_at` would hold it twice.
        let asked = Box::pin(async {
            let mut again = false;
            let answer = loop {
                let call = question.call(wait.timer, until, hurried);
                match wait.pools.send(service, call).await {
                    // Questions change nothing: one that met a connection which the service was about
                    // to close is asked once more, whatever its method.
                    Err(failure) if failure.facts.kind == Kind::Reset && !again => again = true,
                    answered => break answered?,
                }
            };
            // The place among the service's requests is held until all of the answer is there.
            let _place = answer.place;
            let (head, body) = answer.response.into_parts();
            let (body, trailers) = whole(body, self.max_answer).await?;
            Ok(Reply {
                head,
                body,
                trailers,
            })
        });
        let asked = wait.timer.timeout_at(until, asked).await;
        asked.unwrap_or_else(|_elapsed| Err(Unanswered::late()))
    }
}

impl Question {
    fn call<'a>(&'a mut self, timer: &'a Timer, until: Instant, hurried: bool) -> Call<'a> {
        Call {
            head: &mut self.head,
            body: match self.body.is_empty() {
                true => Body::empty(),
                false => self.body.clone().into(),
            },
            upgrade: None,
            expect_continue: false,
            te_trailers: false,
            deadline: Some(until),
            timer,
            interim: &|_, _| {},
            key: self.key,
            tried: Tried::default(),
            retry: Rules::Service,
            guard: None,
            hurried,
            told: None,
        }
    }
}

/// What is asked is no client's request, whose `Host` could be kept: the service's own rule, or else
/// its first endpoint.
fn name_host(service: &Service, headers: &mut HeaderMap) {
    if headers.contains_key(header::HOST) {
        return;
    }
    let spec = service.spec();
    let host = match (&spec.host, spec.endpoints.first()) {
        (HostRule::Fixed(host), _) => Some(host.clone()),
        (_, Some(endpoint)) => endpoint.authority().parse().ok(),
        (_, None) => spec.name.parse().ok(),
    };
    if let Some(host) = host {
        headers.insert(header::HOST, host);
    }
}

/// A body to its end, and the trailers behind it.
async fn whole(mut body: Body, max: usize) -> Result<(Bytes, HeaderMap), Unanswered> {
    let (mut pieces, mut size) = (SmallVec::<[Bytes; 4]>::new(), 0);
    let mut trailers = HeaderMap::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| Unanswered {
            timeout: error.facts.kind == Kind::Timeout,
            ..Unanswered::new("answer_broken", error.cause)
        })?;
        match frame.into_data() {
            Ok(data) => {
                size += data.len();
                if size > max {
                    let cause = format!("the answer has more than {max} bytes");
                    return Err(Unanswered::new("answer_too_large", cause));
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

impl ServiceRef<'_> {
    /// The same name, seen from one level further up.
    pub(crate) fn under(mut self, key: &'static str) -> Self {
        self.path.insert(0, key);
        self
    }
}

impl Unanswered {
    const fn new(code: &'static str, cause: String) -> Self {
        Self {
            code,
            cause,
            timeout: false,
        }
    }

    fn late() -> Self {
        Self {
            timeout: true,
            ..Self::new("answer_timeout", "no whole answer in time".to_owned())
        }
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self {
            timeout: failure.facts.kind == Kind::Timeout,
            ..Self::new(failure.code, failure.cause)
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lintel_testkit::{Answer, Origin};
    use lintel_upstream::{ServiceSpec, service::EndpointSpec};
    use tokio::task::LocalSet;

    use super::*;
    use crate::testing;

    const LONG: Duration = Duration::from_secs(20);

    fn backend(url: &str, timeout: Duration, max: usize) -> Backend {
        let address = url.trim_start_matches("http://").parse().unwrap();
        let spec = ServiceSpec::new("authz", vec![EndpointSpec::http(address)]);
        let service = Service::build(spec, None).unwrap();
        let context = Context {
            services: Arc::new([("authz".to_owned(), service)].into()),
            ..Context::default()
        };
        Backend::build(&context, "authz", timeout, max).unwrap()
    }

    async fn ask(backend: &Backend, body: &'static str) -> Result<Reply, Unanswered> {
        let exchange = testing::exchange("/", &[]);
        let target = Uri::from_static("/check?a=b");
        let mut question = backend.question(&exchange, Method::POST, target);
        question.body = Bytes::from_static(body.as_bytes());
        let (timer, pools) = (Timer::new(), testing::pools());
        let wait = Wait {
            timer: &timer,
            deadline: Instant::now() + LONG,
            pools: &pools,
        };
        LocalSet::new()
            .run_until(backend.ask(&wait, question))
            .await
    }

    #[tokio::test]
    async fn a_service_is_asked_and_answers() {
        let origin = Origin::start(|_| Answer::new(207, &[("X-A", "b")], "well"));
        let reply = ask(&backend(&origin.url(), LONG, 4), "may they?").await;
        let reply = reply.unwrap();
        assert_eq!(
            (reply.head.status.as_u16(), &*reply.body),
            (207, &b"well"[..])
        );
        assert_eq!(reply.head.headers["x-a"], "b");
        let seen = origin.only();
        assert_eq!((&*seen.method, &*seen.target), ("POST", "/check?a=b"));
        assert_eq!(seen.body, b"may they?");
        let host = origin.url();
        assert_eq!(seen.fields.first("host"), host.strip_prefix("http://"));
        assert!(seen.fields.first("traceparent").is_some());
    }

    #[tokio::test]
    async fn an_answer_may_be_so_large() {
        let origin = Origin::saying("12345");
        let lost = ask(&backend(&origin.url(), LONG, 4), "").await.unwrap_err();
        assert_eq!((lost.code, lost.timeout), ("answer_too_large", false));
    }

    #[tokio::test]
    async fn a_connection_that_broke_is_no_answer_yet() {
        let broken = std::sync::atomic::AtomicBool::new(false);
        let origin =
            Origin::start(
                move |_| match broken.swap(true, std::sync::atomic::Ordering::SeqCst) {
                    false => Answer::bytes_then_close(""),
                    true => Answer::ok("well"),
                },
            );
        let reply = ask(&backend(&origin.url(), LONG, 4), "may they?").await;
        assert_eq!(&*reply.unwrap().body, b"well");
        assert_eq!(origin.seen().len(), 2);
        let always = Origin::start(|_| Answer::bytes_then_close(""));
        let lost = ask(&backend(&always.url(), LONG, 4), "").await.unwrap_err();
        assert_eq!((lost.code, always.seen().len()), ("upstream_reset", 2));
    }

    #[tokio::test]
    async fn nobody_answers() {
        let lost = ask(&backend(&Origin::nobody(), LONG, 4), "").await;
        assert_eq!(lost.unwrap_err().code, "upstream_connect_failed");
    }

    #[tokio::test]
    async fn an_answer_may_take_so_long() {
        let origin = Origin::start(|_| Answer::silence());
        let lost = ask(&backend(&origin.url(), Duration::from_millis(20), 9), "").await;
        assert!(lost.unwrap_err().timeout);
    }

    #[tokio::test]
    async fn nothing_is_asked_in_a_rehearsal() {
        let context = Context {
            dry: true,
            ..Context::default()
        };
        let backend = Backend::build(&context, "authz", LONG, 4).unwrap();
        assert!(backend.is_rehearsed());
        assert_eq!(ask(&backend, "").await.unwrap_err().code, "rehearsed");
        let unknown = Backend::build(&Context::default(), "authz", LONG, 4);
        assert!(unknown.unwrap_err().message.contains("`authz`"));
    }
}
