//! What the client gets of what the legs have brought.

use std::cell::RefCell;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use lintel_compose::{Reason, Results};
use lintel_http::Body;
use lintel_kernel::{Exchange, Facts, Kind, Rejection, Side, exchange::Refused, expr::Scope};

use super::{Compose, JSON, STEP};
use crate::{active::Active, dispatch::NoAnswer, respond};

const UNWRITTEN: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_GATEWAY,
    "compose_failed",
    "The answer could not be made.",
);

/// What came of the legs. Several requests may get it.
pub(super) enum Answered {
    /// This.
    Made {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        /// Whether an optional leg failed.
        partial: bool,
    },
    /// It streams. One request alone gets it.
    Streams {
        response: RefCell<Option<Response<Body>>>,
        /// Whether an optional leg failed.
        partial: bool,
    },
    /// It could not be written; why, for the operator.
    Unwritten(String),
    /// A required leg failed.
    Failed { reason: Reason, cause: String },
}

impl Answered {
    /// What the legs of a request came to.
    pub(super) fn of(exchange: &Exchange, compose: &Compose, results: &Results<'_>) -> Self {
        if let Some(leg) = results.failed() {
            let outcome = results.outcome(leg);
            let reason = outcome.and_then(|outcome| outcome.error);
            let cause = outcome.and_then(|outcome| outcome.cause.as_deref());
            let name = compose.plan.legs().get(leg).map_or("", |leg| &leg.name);
            return Self::Failed {
                reason: reason.unwrap_or(Reason::Unreachable),
                cause: format!("leg `{name}`: {}", cause.unwrap_or_default()),
            };
        }
        match results.body() {
            Ok(body) => Self::made(exchange, compose, results, body.into()),
            Err(cause) => Self::Unwritten(cause),
        }
    }

    fn made(exchange: &Exchange, compose: &Compose, results: &Results<'_>, body: Bytes) -> Self {
        let said = Said::of(exchange, compose, results);
        let mut headers = said.headers;
        headers.entry(header::CONTENT_TYPE).or_insert(JSON);
        Self::Made {
            status: said.status.unwrap_or_default(),
            headers,
            body,
            partial: said.partial,
        }
    }

    /// `whole`, `partial` or `failed`, as metrics show it, with its number.
    pub(super) const fn result(&self) -> (u32, &'static str) {
        match self {
            Self::Made { partial: false, .. } | Self::Streams { partial: false, .. } => {
                (0, "whole")
            }
            Self::Made { partial: true, .. } | Self::Streams { partial: true, .. } => {
                (1, "partial")
            }
            Self::Unwritten(_) | Self::Failed { .. } => (2, "failed"),
        }
    }

    /// The answer to a request.
    pub(super) fn give(
        &self,
        active: &mut Active,
        compose: &Compose,
    ) -> Result<Response<Body>, Box<NoAnswer>> {
        match self {
            Self::Made {
                status,
                headers,
                body,
                ..
            } => {
                let mut response = Response::new(Body::from(body.clone()));
                *response.status_mut() = *status;
                *response.headers_mut() = headers.clone();
                Ok(response)
            }
            Self::Streams { response, .. } => {
                let response = response.borrow_mut().take();
                response.ok_or_else(|| UNWRITTEN.into())
            }
            Self::Unwritten(cause) => {
                active.exchange.cause = Some(cause.as_str().into());
                Err(UNWRITTEN.into())
            }
            Self::Failed { reason, cause } => {
                active.exchange.cause = Some(cause.as_str().into());
                failed(active, compose, *reason)
            }
        }
    }
}

/// What the route says of an answer, beside its body.
pub(super) struct Said {
    pub(super) status: Option<StatusCode>,
    pub(super) headers: HeaderMap,
    /// Whether an optional leg failed.
    pub(super) partial: bool,
}

impl Said {
    pub(super) fn of(exchange: &Exchange, compose: &Compose, results: &Results<'_>) -> Self {
        let scope = Scope::among(exchange, results);
        let status = compose
            .status
            .as_ref()
            .and_then(|status| status.text(scope))
            .and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        let mut headers = HeaderMap::with_capacity(compose.headers.len() + 2);
        for (name, value) in &compose.headers {
            let value = value.render(scope);
            if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        let failed = partial(results);
        let is_partial = failed.is_some();
        if let Some(failed) = failed {
            headers.insert(&compose.partial, failed);
        }
        Self {
            status,
            headers,
            partial: is_partial,
        }
    }
}

/// `recs=timeout, balance=status` (a dictionary of RFC 9651 §3.2).
fn partial(results: &Results<'_>) -> Option<HeaderValue> {
    let mut text = String::new();
    for (leg, reason) in results.errors() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Keys of a dictionary are in lower case.
        text.extend(leg.chars().map(|c| c.to_ascii_lowercase()));
        text.push('=');
        text.push_str(reason.code());
        if let Some(age) = results.last_good(leg) {
            text.push_str(";last_good=");
            text.push_str(itoa::Buffer::new().format(age.as_secs()));
        }
    }
    match text.is_empty() {
        true => None,
        false => HeaderValue::from_str(&text).ok(),
    }
}

/// The answer where a required leg has failed.
fn failed(
    active: &mut Active,
    compose: &Compose,
    reason: Reason,
) -> Result<Response<Body>, Box<NoAnswer>> {
    let rejection = rejection(reason);
    match &compose.error {
        Some(page) if !active.exchange.grpc => {
            active.exchange.refused = Some(Refused {
                by: STEP,
                code: rejection.code,
                detail: rejection.detail,
            });
            Ok(respond::page(page, Scope::request(&active.exchange)))
        }
        _ => Err(Box::new(NoAnswer {
            rejection,
            facts: facts(reason),
            body: None,
        })),
    }
}

/// What a failed leg says of the services, as far as it says something of them.
const fn facts(reason: Reason) -> Option<Facts> {
    let kind = match reason {
        Reason::Timeout => Kind::Timeout,
        Reason::Unavailable => Kind::Unavailable,
        Reason::Unreachable => Kind::Connect,
        Reason::Status | Reason::NotJson | Reason::TooLarge => Kind::Protocol,
        _ => return None,
    };
    Some(Facts::new(kind, Side::Upstream))
}

pub(super) const fn rejection(reason: Reason) -> Rejection {
    let (status, code, detail) = match reason {
        Reason::Timeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "leg_timeout",
            "A part of the answer did not come in time.",
        ),
        Reason::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "leg_unavailable",
            "A part of the answer can't be had now.",
        ),
        _ => (
            StatusCode::BAD_GATEWAY,
            "leg_failed",
            "A part of the answer could not be had.",
        ),
    };
    Rejection::new(STEP, status, code, detail)
}
