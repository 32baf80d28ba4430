//! Fallbacks: what a client gets when the service of its route can't answer.

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Facts, Kind, Side, expr::Scope};
use lintel_telemetry::metrics::family::FALLBACKS;
use tokio::time::Instant;

use crate::{
    active::Active,
    copied::{Copy, copied},
    dispatch::{self, Dispatched, Errand, NoAnswer},
    request::Context,
    respond,
    snapshot::{Page, Route},
};

/// What is answered instead, and when.
pub struct Fallback {
    /// What counts as no answer.
    pub on: Triggers,
    /// Who answers then.
    pub to: Instead,
    /// How long the other service may take, counted from the failure.
    pub timeout: Duration,
    /// The largest request body that is kept for the other service, in bytes.
    pub max_body: usize,
    /// The field that tells the client, with the reason.
    pub header: HeaderName,
}

/// Who answers instead. A copy from a cache will be another of these.
pub enum Instead {
    /// Another service, by its index.
    Service(usize),
    /// The gateway.
    Respond(Box<Page>),
}

/// Failures and statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triggers {
    /// No connection, a broken one, or no valid answer.
    pub unreachable: bool,
    /// No endpoint, or limits or a breaker leave no room.
    pub unavailable: bool,
    /// No answer in time.
    pub timeout: bool,
    /// Answers with these statuses.
    pub statuses: Vec<u16>,
    /// Answers with statuses of these hundreds.
    pub classes: Vec<u16>,
}

/// What a service may fail with, as logs and metrics show it.
const REASONS: [&str; 4] = ["timeout", "unavailable", "unreachable", "status"];

impl Triggers {
    fn failure(&self, facts: Facts) -> Option<&'static str> {
        if facts.side == Side::Client {
            return None;
        }
        let (on, reason) = match facts.kind {
            Kind::Timeout => (self.timeout, "timeout"),
            Kind::Unavailable | Kind::Limit => (self.unavailable, "unavailable"),
            Kind::Connect | Kind::Reset | Kind::Protocol => (self.unreachable, "unreachable"),
            Kind::Denied | Kind::Internal => (false, ""),
        };
        on.then_some(reason)
    }

    fn status(&self, status: StatusCode) -> Option<&'static str> {
        let status = status.as_u16();
        let on = self.statuses.contains(&status) || self.classes.contains(&(status / 100));
        on.then_some("status")
    }
}

/// What another service needs of a request.
struct Kept {
    host: Option<HeaderValue>,
    body: Rc<RefCell<Option<Bytes>>>,
}

/// Dispatches a request whose route has a fallback.
pub(crate) async fn dispatch(
    active: &mut Active,
    route: &Route,
    fallback: &Fallback,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let (kept, body) = fallback.keep(active, body);
    let answered = dispatch::act(active, route, body, context).await;
    let reason = match &answered {
        Ok(dispatched) => fallback.on.status(dispatched.response.status()),
        Err(lost) => lost.facts.and_then(|facts| fallback.on.failure(facts)),
    };
    let Some(reason) = reason else {
        return answered;
    };
    match &fallback.to {
        Instead::Respond(page) => {
            let response = respond::page(page, Scope::request(&active.exchange));
            Ok(fallback.mark(active, reason, response.into()))
        }
        Instead::Service(service) => {
            let untouched = answered
                .as_ref()
                .err()
                .is_some_and(|lost| lost.body.is_some());
            let (answered, body) = match answered {
                Err(mut lost) if untouched => {
                    let body = lost.body.take();
                    (Err(lost), body)
                }
                answered => (answered, kept.body()),
            };
            let Some(body) = body else {
                // The body is gone, and with it the request.
                return answered;
            };
            let first = (active.exchange.service, active.exchange.endpoint);
            if let Some(host) = kept.host {
                active.exchange.request.headers.insert(header::HOST, host);
            }
            let errand = Errand {
                service: *service,
                body,
                deadline: Instant::now() + fallback.timeout,
                again: true,
                call: false,
            };
            match dispatch::forward(active, route, errand, context).await {
                Ok(dispatched) => Ok(fallback.mark(active, reason, dispatched)),
                Err(_) => {
                    // Two failures: the client is told of the first.
                    (active.exchange.service, active.exchange.endpoint) = first;
                    answered
                }
            }
        }
    }
}

impl Fallback {
    /// Keeps what another service would need.
    fn keep(&self, active: &Active, body: Body) -> (Kept, Body) {
        let mut kept = Kept {
            host: None,
            body: Rc::default(),
        };
        if matches!(self.to, Instead::Respond(_)) {
            return (kept, body);
        }
        kept.host = active.exchange.request.headers.get(header::HOST).cloned();
        let copy = Rc::clone(&kept.body);
        let body = copied(body, self.max_body, move |done| {
            if let Copy::Whole(bytes) = done {
                *copy.borrow_mut() = Some(bytes);
            }
        });
        (kept, body)
    }

    fn mark(&self, active: &mut Active, reason: &'static str, mut to: Dispatched) -> Dispatched {
        let headers = to.response.headers_mut();
        headers.insert(&self.header, HeaderValue::from_static(reason));
        active.exchange.detour.fallback = Some(reason);
        let route = active.exchange.route.unwrap_or(u32::MAX);
        let number = REASONS.iter().position(|known| *known == reason);
        let number = number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(u32::MAX);
        let labels = [active.exchange.route_name(), reason];
        active.local.count(&FALLBACKS, [route, number, 0], &labels);
        to
    }
}

impl Kept {
    fn body(&self) -> Option<Body> {
        let bytes = self.body.take()?;
        Some(if bytes.is_empty() {
            Body::empty()
        } else {
            bytes.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_sets_it_off() {
        let on = Triggers {
            unreachable: true,
            timeout: true,
            statuses: vec![429],
            classes: vec![5],
            ..Triggers::default()
        };
        let upstream = |kind| on.failure(Facts::new(kind, Side::Upstream));
        assert_eq!(upstream(Kind::Connect), Some("unreachable"));
        assert_eq!(upstream(Kind::Timeout), Some("timeout"));
        assert_eq!(upstream(Kind::Unavailable), None);
        assert_eq!(on.failure(Facts::new(Kind::Timeout, Side::Client)), None);
        assert_eq!(on.status(StatusCode::BAD_GATEWAY), Some("status"));
        assert_eq!(on.status(StatusCode::TOO_MANY_REQUESTS), Some("status"));
        assert_eq!(on.status(StatusCode::NOT_FOUND), None);
    }
}
