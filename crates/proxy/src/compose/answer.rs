//! What the client gets of what the legs have brought.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use lintel_compose::{Reason, Results};
use lintel_http::Body;
use lintel_kernel::{Facts, Kind, Rejection, Side, exchange::Refused, expr::Scope};

use super::{Compose, JSON, STEP};
use crate::{active::Active, dispatch::NoAnswer, respond};

const UNWRITTEN: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_GATEWAY,
    "compose_failed",
    "The answer could not be made.",
);

/// The answer of what the legs have brought.
pub(super) fn whole(
    active: &mut Active,
    compose: &Compose,
    results: &Results<'_>,
) -> Result<Response<Body>, Box<NoAnswer>> {
    let body = results.body().map_err(|cause| {
        active.exchange.cause = Some(cause.into_boxed_str());
        UNWRITTEN
    })?;
    let scope = Scope::among(&active.exchange, results);
    let mut response = Response::new(Body::from(Bytes::from(body)));
    let status = compose
        .status
        .as_ref()
        .and_then(|status| status.text(scope));
    if let Some(status) = status.and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok()) {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    for (name, value) in &compose.headers {
        let value = value.render(scope);
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    if let Some(partial) = partial(results) {
        headers.insert(&compose.partial, partial);
    }
    Ok(response)
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
pub(super) fn failed(
    active: &mut Active,
    compose: &Compose,
    results: &Results<'_>,
    leg: usize,
) -> Result<Response<Body>, Box<NoAnswer>> {
    let outcome = results.outcome(leg);
    let reason = outcome.and_then(|outcome| outcome.error);
    let reason = reason.unwrap_or(Reason::Unreachable);
    let rejection = rejection(reason);
    let name = compose.plan.legs().get(leg).map_or("", |leg| &leg.name);
    let cause = outcome.and_then(|outcome| outcome.cause.as_deref());
    let cause = format!("leg `{name}`: {}", cause.unwrap_or_default());
    active.exchange.cause = Some(cause.into_boxed_str());
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

const fn rejection(reason: Reason) -> Rejection {
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
