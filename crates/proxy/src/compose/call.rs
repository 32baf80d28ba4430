//! The calls of legs, over the connections of the worker.

use std::{cell::RefCell, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use lintel_compose::{Caller, Calling, Missed, Reason, Reply, Request};
use lintel_http::http1::Timer;
use lintel_kernel::{Exchange, Kind, trace::Trace};
use lintel_upstream::{Ask, Pools, Rules, Service, Unanswered, retry::Retry};
use tokio::time::Instant;

use super::{Compose, JSON, Terms};
use crate::snapshot::ListenerRules;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What tells a service of the client and of the request, whatever else it is told.
static ALWAYS: [HeaderName; 7] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("tracestate"),
];

/// Makes the calls of one request.
pub(super) struct Calls<'a> {
    pub(super) compose: &'a Compose,
    pub(super) exchange: &'a Exchange,
    pub(super) rules: &'a ListenerRules,
    pub(super) services: &'a [Arc<Service>],
    pub(super) pools: &'a Pools,
    pub(super) timer: &'a Timer,
    /// The route's rules for trying again, in place of those of the services.
    pub(super) retry: Option<&'a Retry>,
    /// When the answer must be there.
    pub(super) deadline: Instant,
    /// The spans of the legs that were called.
    pub(super) spans: RefCell<Vec<(usize, u64)>>,
}

impl Caller for Calls<'_> {
    fn call(&self, leg: usize, request: Request) -> Calling<'_> {
        let terms = self.compose.calls.get(leg).and_then(Option::as_ref);
        let to = terms.and_then(|terms| Some((terms, self.services.get(terms.service)?)));
        let Some((terms, service)) = to else {
            return Box::pin(async { Err(nobody()) });
        };
        let own = terms.timeout.map(|timeout| Instant::now() + timeout);
        let harmless = request.method.is_safe();
        let ask = Ask {
            head: self.head(
                leg,
                terms,
                request.method,
                request.target,
                request.headers,
                &request.body,
            ),
            body: request.body,
            key: service.key(self.exchange),
            until: own.map_or(self.deadline, |own| own.min(self.deadline)),
            // What is left of the route's time says nothing about the service.
            hurried: own.is_some_and(|own| self.deadline < own),
            harmless,
            retry: self.retry.map_or(Rules::Service, Rules::Route),
            max_answer: terms.max_body,
            timer: self.timer,
        };
        Box::pin(async move {
            match self.pools.ask(service, ask).await {
                Ok(reply) => Ok(Reply {
                    status: reply.head.status,
                    headers: reply.head.headers,
                    body: reply.body,
                    endpoint: reply.endpoint,
                    attempts: reply.attempts,
                }),
                Err(lost) => Err(missed(lost)),
            }
        })
    }
}

impl Calls<'_> {
    /// The head of a call: what the leg says, what goes along, and its place in the trace.
    fn head(
        &self,
        leg: usize,
        terms: &Terms,
        method: http::Method,
        target: http::Uri,
        own: HeaderMap,
        body: &[u8],
    ) -> http::request::Parts {
        let (mut head, ()) = http::Request::new(()).into_parts();
        (head.method, head.uri, head.headers) = (method, target, own);
        let client = &self.exchange.request.headers;
        let along = terms.forward.iter().chain(&ALWAYS);
        for name in along.chain([&self.rules.request_id]) {
            if head.headers.contains_key(name) {
                continue;
            }
            for value in client.get_all(name) {
                head.headers.append(name, value.clone());
            }
        }
        let headers = &mut head.headers;
        let mut tell = |name: HeaderName, value: HeaderValue| {
            headers.entry(name).or_insert(value);
        };
        tell(header::ACCEPT, JSON);
        if !body.is_empty() {
            tell(header::CONTENT_TYPE, JSON);
        }
        let span = Trace {
            span_id: fastrand::u64(1..),
            ..self.exchange.trace
        };
        self.spans.borrow_mut().push((leg, span.span_id));
        headers.insert(TRACEPARENT, span.to_header());
        head
    }
}

fn missed(lost: Unanswered) -> Missed {
    let reason = match lost.facts.kind {
        Kind::Timeout => Reason::Timeout,
        _ if lost.is_too_large() => Reason::TooLarge,
        Kind::Unavailable | Kind::Limit => Reason::Unavailable,
        _ => Reason::Unreachable,
    };
    Missed {
        reason,
        cause: lost.cause,
        endpoint: lost.endpoint,
        attempts: lost.attempts,
    }
}

fn nobody() -> Missed {
    Missed {
        reason: Reason::Unavailable,
        cause: "there is no such service".to_owned(),
        endpoint: None,
        attempts: 0,
    }
}
