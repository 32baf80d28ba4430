//! Services that policies ask before they decide.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Uri, request, response};
use lintel_kernel::{Exchange, Fault};
use lintel_upstream::{
    Ask, Rules, Service,
    service::{Protocol, Scheme},
};
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
    pub async fn ask(&self, wait: &Wait<'_>, question: Question) -> Result<Reply, Unanswered> {
        let Some(service) = &self.service else {
            return Err(Unanswered::new("rehearsed", "nothing is asked".to_owned()));
        };
        let own = Instant::now() + self.timeout;
        let until = wait.deadline.min(own);
        // What is left of the route's time says nothing about the service.
        let hurried = wait.deadline < own;
        let asked = wait.pools.ask(
            service,
            Ask {
                head: question.head,
                body: question.body,
                key: question.key,
                until,
                hurried,
                // Questions change nothing.
                harmless: true,
                retry: Rules::Service,
                max_answer: self.max_answer,
                told: None,
                timer: wait.timer,
            },
        );
        let reply = asked.await?;
        Ok(Reply {
            head: reply.head,
            body: reply.body,
            trailers: reply.trailers,
        })
    }
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
}

impl From<lintel_upstream::Unanswered> for Unanswered {
    fn from(lost: lintel_upstream::Unanswered) -> Self {
        Self {
            timeout: lost.is_late(),
            ..Self::new(lost.code, lost.cause)
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

    use lintel_http::http1::Timer;
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
