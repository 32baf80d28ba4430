//! What a try tells about its endpoint.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use lintel_telemetry::metrics::AttemptOutcome;
use tokio::time::Instant;

use crate::{
    balance::FAILURE,
    health::{Counted, Event, Moment, Verdict, eject},
    service::{Endpoint, Load, Service},
};

/// Takes a try into account: for the endpoint's latency, and for whether it is fit for more.
///
/// Costs a few loads and stores of this worker's own numbers where all is well.
pub(crate) fn observe(
    service: &Service,
    endpoint: &Arc<Endpoint>,
    load: &Load,
    verdict: Verdict,
    took: Option<Duration>,
    now: Instant,
) {
    let now = Moment::of(now);
    let good = verdict == Verdict::Good;
    // A server error of the application may be quick and is no reason to stay away; what a gateway
    // or nobody at all answers must not look fast.
    let took = match verdict {
        Verdict::Good | Verdict::ServerError => took,
        Verdict::GatewayError | Verdict::Failure => Some(took.unwrap_or_default() + FAILURE),
    };
    load.results.add(good, took, now);
    let Some(rules) = &service.spec().eject else {
        return;
    };
    match endpoint.health.count(verdict, rules) {
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
            if let Some(lasts) = eject(endpoint, &set, now, rules) {
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
