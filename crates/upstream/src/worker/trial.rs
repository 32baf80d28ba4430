//! One try as the service's guard sees it: whether it may be made, and what it says about the
//! service.

use std::{sync::Arc, time::Duration};

use lintel_kernel::{Kind, Side};
use tokio::time::Instant;

use super::{
    failure::{Cause, Failure},
    pools::Pools,
    send::Answer,
};
use crate::{
    guard::{BreakerState, Leave, Verdict},
    service::Service,
};

/// gRPC codes by which a service says that it is in trouble itself: unknown, internal, unavailable,
/// data loss.
const GRPC_TROUBLE: [&str; 4] = ["2", "13", "14", "15"];

/// A try that is under way. If it is given up, it has said nothing.
pub(crate) struct Trial<'a> {
    pools: &'a Pools,
    service: &'a Arc<Service>,
    began: Instant,
    leave: Option<Leave>,
}

impl<'a> Trial<'a> {
    /// Asks the breaker.
    pub(crate) fn begin(pools: &'a Pools, service: &'a Arc<Service>) -> Result<Self, Cause> {
        let began = pools.clock().now();
        let mut trial = Self {
            pools,
            service,
            began,
            leave: None,
        };
        if let Some(spec) = &service.spec().guard.breaker {
            let (leave, turned) = service.guard.breaker.admit(spec, began);
            trial.turned(turned);
            trial.leave = Some(leave.map_err(Cause::breaker_open)?);
        }
        Ok(trial)
    }

    /// Says how it went. `shortened`: the client wanted less time for it than the service has.
    pub(crate) fn end(mut self, sent: &Result<Answer, Failure>, shortened: bool) {
        let guard = &self.service.spec().guard;
        if guard.breaker.is_none() && guard.adaptive.is_none() {
            return;
        }
        let now = self.pools.clock().refresh();
        let (verdict, took) = match sent {
            Ok(answer) => (
                Some(answered(answer)),
                answer.head_at.saturating_duration_since(self.began),
            ),
            Err(failure) => (failed(failure, shortened), now - self.began),
        };
        let Some(verdict) = verdict else { return };
        self.service.guard.sample(guard, took, now);
        if let (Some(spec), Some(leave)) = (&guard.breaker, self.leave.take()) {
            let breaker = &self.service.guard.breaker;
            let turned = breaker.record(spec, leave, verdict, took, now);
            self.turned(turned);
        }
    }

    /// The breaker has turned, and this worker is the one to tell.
    fn turned(&self, state: Option<BreakerState>) {
        let Some(state) = state else { return };
        let service = &**self.service.name();
        self.pools
            .service(self.service)
            .metrics
            .breaker_turned(state.name());
        match state {
            BreakerState::Open => tracing::warn!(
                service,
                "the breaker has opened: the service gets no requests for now"
            ),
            BreakerState::HalfOpen => {
                tracing::info!(service, "the breaker lets a few requests through");
            }
            BreakerState::Closed => {
                tracing::info!(service, "the breaker has closed: the service is well again");
            }
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let (Some(spec), Some(leave)) = (&self.service.spec().guard.breaker, self.leave) {
            self.service
                .guard
                .breaker
                .forget(spec, leave, self.pools.clock().now());
        }
    }
}

fn answered(answer: &Answer) -> Verdict {
    let headers = answer.response.headers();
    let grpc = headers
        .get("grpc-status")
        .and_then(|code| code.to_str().ok());
    let trouble = grpc.is_some_and(|code| GRPC_TROUBLE.contains(&code));
    if trouble || answer.response.status().is_server_error() {
        Verdict::Bad
    } else {
        Verdict::Good
    }
}

/// What the gateway or the client did says nothing about the service.
fn failed(failure: &Failure, shortened: bool) -> Option<Verdict> {
    match (failure.facts.side, failure.facts.kind) {
        (Side::Upstream, Kind::Timeout) if shortened => None,
        (Side::Upstream, Kind::Connect | Kind::Reset | Kind::Timeout | Kind::Protocol) => {
            Some(Verdict::Bad)
        }
        _ => None,
    }
}

impl Cause {
    fn breaker_open(rest: Duration) -> Self {
        Self::unavailable(
            super::failure::code::BREAKER_OPEN,
            "the breaker of the service is open".to_owned(),
            rest,
        )
    }
}
