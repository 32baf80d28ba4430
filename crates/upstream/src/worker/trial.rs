//! One try as the guards of its service and its route see it: whether it may be made, and what it
//! says about them.

use std::{cell::Cell, sync::Arc, time::Duration};

use lintel_kernel::{Kind, Side};
use lintel_telemetry::{WorkerMetrics, metrics::family::ROUTE_BREAKER_TRANSITIONS};
use tokio::time::Instant;

use super::{
    failure::{Cause, Failure},
    pools::Pools,
    send::Answer,
};
use crate::{
    guard::{BreakerState, Guard, GuardSpec, Guarded, Leave, Verdict},
    service::Service,
};

/// gRPC codes by which a service says that it is in trouble itself: unknown, internal, unavailable,
/// data loss.
const GRPC_TROUBLE: [u8; 4] = [2, 13, 14, 15];

/// A try that is under way. If it is given up, it has said nothing.
pub(crate) struct Trial<'a> {
    pools: &'a Pools,
    service: &'a Arc<Service>,
    route: Option<&'a Arc<Guarded>>,
    began: Instant,
    leaves: Leaves,
}

/// Leave of the service's breaker and of the route's.
#[derive(Default)]
struct Leaves([Cell<Option<Leave>>; 2]);

/// Whose guard it is.
#[derive(Clone, Copy)]
enum Ward<'a> {
    Service(&'a Service),
    Route(&'a Guarded),
}

/// What a try that has been answered has yet to say: the status of a gRPC call comes last.
pub(crate) struct Suspense {
    service: Arc<Service>,
    route: Option<Arc<Guarded>>,
    metrics: WorkerMetrics,
    took: Duration,
    leaves: Leaves,
}

impl<'a> Trial<'a> {
    /// Asks the breakers.
    pub(crate) fn begin(
        pools: &'a Pools,
        service: &'a Arc<Service>,
        route: Option<&'a Arc<Guarded>>,
    ) -> Result<Self, Cause> {
        let trial = Self {
            pools,
            service,
            route,
            began: pools.clock().now(),
            leaves: Leaves::default(),
        };
        for (ward, leave) in trial.leaves.of(service, route) {
            let Some(spec) = &ward.spec().breaker else {
                continue;
            };
            let (admitted, turned) = ward.guard().breaker.admit(spec, trial.began);
            ward.turned(turned, pools.metrics());
            leave.set(Some(admitted.map_err(|rest| ward.is_open(rest))?));
        }
        Ok(trial)
    }

    /// Says how it went. `shortened`: the client wanted less time for it than the service has.
    pub(crate) fn end(self, sent: &Result<Answer, Failure>, shortened: bool) {
        let wards = || self.leaves.of(self.service, self.route);
        let watches = |(ward, _): (Ward<'_>, &Cell<Option<Leave>>)| {
            ward.spec().breaker.is_some() || ward.spec().adaptive.is_some()
        };
        if !wards().any(watches) {
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
        for (ward, leave) in wards() {
            ward.guard().sample(ward.spec(), took, now);
            ward.record(leave, verdict, took, now, self.pools.metrics());
        }
    }

    /// It was answered, and how it went will be known later.
    pub(crate) fn suspend(&self, answered: Instant) -> Suspense {
        Suspense {
            service: Arc::clone(self.service),
            route: self.route.map(Arc::clone),
            metrics: self.pools.metrics().clone(),
            took: answered.saturating_duration_since(self.began),
            leaves: Leaves([
                self.leaves.0[0].take().into(),
                self.leaves.0[1].take().into(),
            ]),
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let now = || self.pools.clock().now();
        self.leaves.forget(self.service, self.route, now);
    }
}

impl Suspense {
    /// A message has come. To a breaker that is half open that is good enough: a stream may last.
    pub(crate) fn message(&self) {
        let now = Instant::now();
        for (ward, leave) in self.leaves.of(&self.service, self.route.as_ref()) {
            if matches!(leave.get(), Some(Leave::Probe(_))) {
                ward.record(leave, Verdict::Good, self.took, now, &self.metrics);
            }
        }
    }

    /// How it went: a gRPC status, or none where the answer broke off.
    pub(crate) fn end(&self, code: Option<u8>, now: Instant) {
        let verdict = match code {
            Some(code) if !GRPC_TROUBLE.contains(&code) => Verdict::Good,
            _ => Verdict::Bad,
        };
        for (ward, leave) in self.leaves.of(&self.service, self.route.as_ref()) {
            ward.record(leave, verdict, self.took, now, &self.metrics);
        }
    }
}

impl Drop for Suspense {
    fn drop(&mut self) {
        self.leaves
            .forget(&self.service, self.route.as_ref(), Instant::now);
    }
}

impl Leaves {
    fn of<'w>(
        &'w self,
        service: &'w Service,
        route: Option<&'w Arc<Guarded>>,
    ) -> impl Iterator<Item = (Ward<'w>, &'w Cell<Option<Leave>>)> {
        let [one, other] = &self.0;
        let route = route.map(|route| (Ward::Route(route), other));
        std::iter::once((Ward::Service(service), one)).chain(route)
    }

    /// What was not said will not be said.
    fn forget(&self, service: &Service, route: Option<&Arc<Guarded>>, now: impl Fn() -> Instant) {
        for (ward, leave) in self.of(service, route) {
            if let (Some(spec), Some(leave)) = (&ward.spec().breaker, leave.take()) {
                ward.guard().breaker.forget(spec, leave, now());
            }
        }
    }
}

impl<'a> Ward<'a> {
    fn spec(self) -> &'a GuardSpec {
        match self {
            Self::Service(service) => &service.spec().guard,
            Self::Route(route) => &route.spec,
        }
    }

    const fn guard(self) -> &'a Guard {
        match self {
            Self::Service(service) => &service.guard,
            Self::Route(route) => &route.guard,
        }
    }

    fn record(
        self,
        leave: &Cell<Option<Leave>>,
        verdict: Verdict,
        took: Duration,
        now: Instant,
        metrics: &WorkerMetrics,
    ) {
        if let (Some(spec), Some(leave)) = (&self.spec().breaker, leave.take()) {
            let breaker = &self.guard().breaker;
            let turned = breaker.record(spec, leave, verdict, took, now);
            self.turned(turned, metrics);
        }
    }

    fn is_open(self, rest: Duration) -> Cause {
        let text = match self {
            Self::Service(_) => "the breaker of the service is open",
            Self::Route(_) => "the breaker of the route is open",
        };
        Cause::unavailable(super::failure::code::BREAKER_OPEN, text.to_owned(), rest)
    }

    /// The breaker has turned, and this worker is the one to tell.
    fn turned(self, state: Option<BreakerState>, metrics: &WorkerMetrics) {
        let Some(state) = state else { return };
        let (service, route) = match self {
            Self::Service(service) => (Some(&**service.name()), None),
            Self::Route(route) => (None, Some(&**route.name())),
        };
        if let Some(service) = service {
            metrics.service(service).breaker_turned(state.name());
        }
        if let Some(route) = route {
            let labels = [route, state.name()];
            metrics.counter(&ROUTE_BREAKER_TRANSITIONS, &labels).inc();
        }
        match state {
            BreakerState::Open => tracing::warn!(
                service,
                route,
                "the breaker has opened: there are no requests to the service for now"
            ),
            BreakerState::HalfOpen => {
                tracing::info!(service, route, "the breaker lets a few requests through");
            }
            BreakerState::Closed => {
                tracing::info!(service, route, "the breaker has closed: all is well again");
            }
        }
    }
}

fn answered(answer: &Answer) -> Verdict {
    let headers = answer.response.headers();
    let grpc = headers
        .get("grpc-status")
        .and_then(|code| code.to_str().ok()?.parse().ok());
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
