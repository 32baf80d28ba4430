//! The calls of legs, over the connections of the worker.

use std::{cell::RefCell, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use lintel_compose::{Caller, Calling, Missed, Reason, Reply, Request};
use lintel_grpc::frame;
use lintel_http::http1::Timer;
use lintel_kernel::{Exchange, Kind, trace::Trace};
use lintel_upstream::{
    Answer, Ask, Pools, Rules, Service, Unanswered, deadline::Deadline, retry::Retry,
};
use tokio::time::Instant;

use super::{Compose, Copies, JSON, Terms, coalesce::add, rpc};
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
    /// The JSON that the client sent.
    pub(super) sent: Bytes,
    /// The spans of the legs that were called.
    pub(super) spans: RefCell<Vec<(usize, u64)>>,
    /// What went along with the call before.
    pub(super) along: RefCell<Option<Along<'a>>>,
}

impl Caller for Calls<'_> {
    fn call(&self, leg: usize, request: Request) -> Calling<'_> {
        let Some((terms, service)) = self.to(leg) else {
            return Box::pin(async { Err(nobody()) });
        };
        let begun = terms.rpc.as_ref();
        let begun = begun.map(|rpc| rpc.begin(request.target.path(), &request.body));
        let begun = match begun.transpose() {
            Ok(begun) => begun,
            Err(missed) => return Box::pin(async { Err(missed) }),
        };
        let mut ask = self.ask((leg, terms), service, request);
        if let Some(begun) = &begun {
            ask.body = begun.body.clone();
            ask.told = Some(Deadline::of_call(ask.until));
            // What is around the message counts, too.
            ask.max_answer = terms.max_body.saturating_add(frame::PREFIX);
        }
        Box::pin(async move {
            match self.pools.ask(service, ask).await {
                Ok(reply) if let Some(begun) = &begun => begun.ended(reply, terms.max_body),
                Ok(reply) => Ok(Reply {
                    status: reply.head.status,
                    headers: reply.head.headers,
                    body: reply.body,
                    call: None,
                    endpoint: reply.endpoint,
                    attempts: reply.attempts,
                }),
                Err(lost) => Err(missed(lost)),
            }
        })
    }

    fn add_key(&self, leg: usize, request: &Request, key: &mut Vec<u8>) {
        add(key, request.method.as_str().as_bytes());
        add(key, request.target.to_string().as_bytes());
        add(key, &self.exchange.host);
        add(key, &request.body);
        for (name, value) in &request.headers {
            add(key, name.as_str().as_bytes());
            add(key, value.as_bytes());
        }
        add(key, b"");
        let terms = self.compose.calls.get(leg).and_then(Option::as_ref);
        let along = terms.into_iter().flat_map(|terms| &terms.forward);
        let client = &self.exchange.request.headers;
        for name in along.chain(&ALWAYS) {
            if OF_THE_WAY.contains(name) || request.headers.contains_key(name) {
                continue;
            }
            for value in client.get_all(name) {
                add(key, name.as_str().as_bytes());
                add(key, value.as_bytes());
            }
        }
        add(key, b"");
    }

    fn keep(&self, leg: usize, key: &[u8], value: &Bytes) {
        if let Some(copies) = self.copies(leg) {
            copies.put(key, value, Instant::now().into_std());
        }
    }

    fn last_good(&self, leg: usize, key: &[u8]) -> Option<(Bytes, Duration)> {
        self.copies(leg)?.find(key, Instant::now().into_std())
    }

    fn forget(&self, leg: usize, key: &[u8]) {
        if let Some(copies) = self.copies(leg) {
            copies.forget(key);
        }
    }

    fn sent(&self) -> Bytes {
        self.sent.clone()
    }
}

/// Fields that say who asks by which way, and when: what they say makes no other answer.
pub(super) static OF_THE_WAY: [HeaderName; 5] = [
    HeaderName::from_static("x-forwarded-for"),
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("tracestate"),
    TRACEPARENT,
];

/// What goes along with calls.
pub(super) struct Along<'a> {
    /// The fields of the client's request that the legs forward.
    forward: &'a [HeaderName],
    /// Fields of a call, with places kept for those that differ from one to the next.
    fields: HeaderMap,
    /// Whether the client's own `Host` is among them.
    host: bool,
}

impl<'a> Calls<'a> {
    fn copies(&self, leg: usize) -> Option<&Copies> {
        self.compose.calls.get(leg)?.as_ref()?.copies.as_deref()
    }

    /// Asks for a leg, and waits for the head of the answer.
    pub(super) async fn open(&self, leg: usize, request: Request) -> Result<Answer, Missed> {
        let (terms, service) = self.to(leg).ok_or_else(nobody)?;
        let ask = self.ask((leg, terms), service, request);
        self.pools.open(service, ask).await.map_err(missed)
    }

    /// How a leg is called, and the service that is.
    fn to(&self, leg: usize) -> Option<(&'a Terms, &'a Arc<Service>)> {
        let terms = self.compose.calls.get(leg)?.as_ref()?;
        Some((terms, self.services.get(terms.service)?))
    }

    fn ask(
        &self,
        (leg, terms): (usize, &'a Terms),
        service: &Service,
        mut request: Request,
    ) -> Ask<'a> {
        let own = terms.timeout.map(|timeout| Instant::now() + timeout);
        Ask {
            head: self.head(leg, terms, service, &mut request),
            body: request.body,
            key: service.key(self.exchange),
            until: own.map_or(self.deadline, |own| own.min(self.deadline)),
            // What is left of the route's time says nothing about the service.
            hurried: own.is_some_and(|own| self.deadline < own),
            harmless: request.harmless,
            retry: self.retry.map_or(Rules::Service, Rules::Route),
            max_answer: terms.max_body,
            told: None,
            timer: self.timer,
        }
    }

    /// The head of a call: what goes along, what the leg says itself, and its place in the trace.
    fn head(
        &self,
        leg: usize,
        terms: &'a Terms,
        service: &Service,
        request: &mut Request,
    ) -> Parts {
        let (mut head, ()) = http::Request::new(()).into_parts();
        (head.method, head.uri) = (request.method.clone(), request.target.clone());
        let (mut headers, kept) = self.along(terms);
        match service.host() {
            Some(host) if !kept => drop(headers.insert(header::HOST, host.clone())),
            None if !kept => drop(headers.remove(header::HOST)),
            _ => {}
        }
        if let Some(accept) = &terms.accept
            && !terms.forward.contains(&header::ACCEPT)
        {
            headers.insert(header::ACCEPT, accept.clone());
        }
        for (name, value) in std::mem::take(&mut request.headers) {
            // Each name comes once.
            name.and_then(|name| headers.insert(name, value));
        }
        if terms.rpc.is_some() {
            rpc::set(&mut headers);
        } else if !request.body.is_empty() {
            headers.entry(header::CONTENT_TYPE).or_insert(JSON);
        }
        let span = Trace {
            span_id: fastrand::u64(1..),
            ..self.exchange.trace
        };
        self.spans.borrow_mut().push((leg, span.span_id));
        headers.insert(TRACEPARENT, span.to_header());
        head.headers = headers;
        head
    }

    /// What goes along with a call, and whether the client's `Host` is in it. Gathered once for the
    /// calls that forward the same.
    fn along(&self, terms: &'a Terms) -> (HeaderMap, bool) {
        let mut along = self.along.borrow_mut();
        let gathered = along.take().filter(|along| along.forward == terms.forward);
        let along = along.insert(gathered.unwrap_or_else(|| self.gather(terms)));
        (along.fields.clone(), along.host)
    }

    fn gather(&self, terms: &'a Terms) -> Along<'a> {
        let client = &self.exchange.request.headers;
        let mut fields = HeaderMap::with_capacity(16);
        let along = terms.forward.iter().chain(&ALWAYS);
        for name in along.chain([&self.rules.request_id]) {
            if fields.contains_key(name) {
                continue;
            }
            for value in client.get_all(name) {
                fields.append(name, value.clone());
            }
        }
        fields.entry(header::ACCEPT).or_insert(JSON);
        let host = fields.contains_key(header::HOST);
        for name in [header::HOST, TRACEPARENT] {
            fields.entry(name).or_insert(HeaderValue::from_static(""));
        }
        Along {
            forward: &terms.forward,
            fields,
            host,
        }
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
