//! What a try tells about its endpoint.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use lintel_telemetry::metrics::AttemptOutcome;
use tokio::time::Instant;

use super::service::View;
use crate::{
    health::{Counted, Event, Moment, Verdict, eject},
    service::{Endpoint, Load, Service},
};

/// Takes a try into account: for the endpoint's latency, and for whether it is fit for more.
///
/// Costs a few loads and stores of this worker's own numbers where all is well.
///
/// A server error of the application may be quick and is no reason to stay away; what a gateway or
/// nobody at all answers must not look fast. It is taken for as slow as the slowest endpoint of the
/// service, and no slower: that an endpoint fails is for ejection to deal with (as with Finagle and
/// Envoy, whose peak EWMA knows nothing of failures).
pub(crate) fn observe(
    service: &Service,
    endpoint: &Arc<Endpoint>,
    (view, load): (&View, &Load),
    verdict: Verdict,
    took: Duration,
    now: Instant,
) {
    let expected = match verdict {
        Verdict::Good | Verdict::ServerError => took,
        Verdict::GatewayError | Verdict::Failure => took.max(view.slowest(now)),
    };
    load.results.time(took, expected, Moment::of(now));
    count(service, endpoint, load, verdict, now);
}

/// Takes into account how a try went, and not how long it took.
pub(crate) fn count(
    service: &Service,
    endpoint: &Arc<Endpoint>,
    load: &Load,
    verdict: Verdict,
    now: Instant,
) {
    load.results.count(verdict == Verdict::Good);
    let rules = service.spec().eject.as_ref();
    let counted = endpoint.health.count(verdict, rules);
    follow(service, endpoint, counted, now);
}

/// Takes into account that an answer was good up to some place in its body, and no further.
pub(crate) fn broke_off(service: &Service, endpoint: &Arc<Endpoint>, load: &Load, now: Instant) {
    load.results.count(false);
    if let Some(rules) = &service.spec().eject {
        let counted = endpoint.health.broke_off(rules);
        follow(service, endpoint, counted, now);
    }
}

fn follow(service: &Service, endpoint: &Arc<Endpoint>, counted: Counted, now: Instant) {
    let Some(rules) = &service.spec().eject else {
        return;
    };
    match counted {
        Counted::Nothing => {}
        Counted::Trusted => {
            service.members.touch();
            service
                .members
                .news
                .tell(Event::Trusted(Arc::clone(endpoint)));
        }
        Counted::TooMany(reason) => {
            let set = service.members.set();
            if let Some(lasts) = eject(endpoint, &set, Moment::of(now), rules) {
                service.members.touch();
                service.members.news.tell(Event::Ejected {
                    endpoint: Arc::clone(endpoint),
                    reason,
                    lasts,
                });
            }
        }
    }
}

/// What the head of an answer says. gRPC says it in `grpc-status`, beside 200 (trailers-only).
pub(crate) fn verdict(status: StatusCode, headers: &HeaderMap, http2: bool) -> Verdict {
    if http2
        && status == StatusCode::OK
        && let Some(code) = headers.get("grpc-status")
    {
        let code = code.to_str().ok().and_then(|code| code.parse().ok());
        return Verdict::of_grpc(code.unwrap_or(2));
    }
    Verdict::of_status(status.as_u16())
}

/// What a try without an answer says; nothing where it was not the endpoint's fault.
pub(crate) const fn failure(outcome: AttemptOutcome) -> Option<Verdict> {
    match outcome {
        AttemptOutcome::ConnectFailure
        | AttemptOutcome::Reset
        | AttemptOutcome::Timeout
        | AttemptOutcome::Protocol => Some(Verdict::Failure),
        AttemptOutcome::Answered | AttemptOutcome::ServerError | AttemptOutcome::Cancelled => None,
    }
}
