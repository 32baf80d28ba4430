//! What is kept of one service, or of one route.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    AdaptiveSpec, Breaker, BreakerSpec, BreakerState, Budget, Bulkhead, Entered, gradient::Gradient,
};
use crate::service::Service;

/// Bounds on what a service is made to do, or on what a route makes of services.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuardSpec {
    /// Requests under way at once, from their arrival to the last byte of the answer.
    pub requests: Option<u32>,
    /// Tries after the first under way at once.
    pub retries: Option<u32>,
    /// A limit of requests that follows the service's latency.
    pub adaptive: Option<AdaptiveSpec>,
    /// When the service gets no requests for a while.
    pub breaker: Option<BreakerSpec>,
}

/// The state of one service or route, by its name.
pub(crate) struct Guard {
    pub(crate) budget: Arc<Budget>,
    requests: Arc<Bulkhead>,
    pub(crate) retries: Arc<Bulkhead>,
    pub(crate) breaker: Arc<Breaker>,
    adaptive: Option<Arc<Gradient>>,
}

/// A guard as shown by the admin interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardStatus {
    /// What the breaker does.
    pub breaker: BreakerState,
    /// Requests under way, where they are limited.
    pub requests: Option<u32>,
    /// How many may be, now.
    pub limit: Option<u32>,
    /// Requests that paid into the retry budget in its window of [`WINDOW_SECS`](super::WINDOW_SECS).
    pub budget_requests: u64,
    /// Retries in the same window.
    pub budget_retries: u64,
}

impl Service {
    /// What is done and allowed now, for people.
    pub fn guard_status(&self) -> GuardStatus {
        self.guard.status(&self.spec().guard)
    }
}

impl Guard {
    /// Takes over from the service's guard before what means the same still.
    pub(crate) fn build(spec: &GuardSpec, previous: Option<(&GuardSpec, &Self)>) -> Self {
        let window = spec
            .breaker
            .map_or(Duration::ZERO, |breaker| breaker.window);
        let same_limit = previous.filter(|(before, _)| before.adaptive == spec.adaptive);
        let kept = previous.map(|(_, guard)| guard);
        Self {
            budget: kept.map_or_else(Arc::default, |guard| Arc::clone(&guard.budget)),
            requests: kept.map_or_else(Arc::default, |guard| Arc::clone(&guard.requests)),
            retries: kept.map_or_else(Arc::default, |guard| Arc::clone(&guard.retries)),
            breaker: kept
                .filter(|guard| guard.breaker.window() == window)
                .map_or_else(
                    || Arc::new(Breaker::new(window)),
                    |guard| Arc::clone(&guard.breaker),
                ),
            adaptive: match same_limit {
                Some((_, guard)) => guard.adaptive.clone(),
                None => spec
                    .adaptive
                    .as_ref()
                    .map(|spec| Arc::new(Gradient::new(spec))),
            },
        }
    }

    /// A place for one more request; `Ok(None)` where there is no limit.
    pub(crate) fn enter(&self, spec: &GuardSpec) -> Result<Option<Entered>, u32> {
        match self.limit(spec) {
            None => Ok(None),
            Some(limit) => self.requests.enter(limit).map(Some).ok_or(limit),
        }
    }

    fn limit(&self, spec: &GuardSpec) -> Option<u32> {
        let adaptive = self.adaptive.as_ref().zip(spec.adaptive.as_ref());
        let adaptive = adaptive.map(|(gradient, spec)| gradient.limit(spec));
        adaptive.into_iter().chain(spec.requests).min()
    }

    /// A try took so long; the limit that follows the latency learns from it.
    pub(crate) fn sample(&self, spec: &GuardSpec, took: Duration, now: Instant) {
        if let (Some(gradient), Some(spec)) = (&self.adaptive, &spec.adaptive) {
            gradient.sample(spec, took, self.requests.taken(), now);
        }
    }

    pub(crate) fn status(&self, spec: &GuardSpec) -> GuardStatus {
        let limit = self.limit(spec);
        let (budget_requests, budget_retries) = self.budget.counts(Instant::now());
        GuardStatus {
            breaker: self.breaker.state(),
            requests: limit.map(|_| self.requests.taken()),
            limit,
            budget_requests,
            budget_retries,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::guard::{Leave, Verdict};

    #[test]
    fn what_means_the_same_is_taken_over() {
        let breaker = BreakerSpec {
            errors: Some(0.5),
            slow: None,
            window: Duration::from_secs(10),
            min_requests: 1,
            open_for: Duration::from_secs(5),
            probes: 1,
        };
        let spec = GuardSpec {
            requests: Some(2),
            adaptive: Some(AdaptiveSpec::default()),
            breaker: Some(breaker),
            ..GuardSpec::default()
        };
        let before = Guard::build(&spec, None);
        let _place = before.enter(&spec).unwrap().unwrap();
        let now = Instant::now();
        let opened =
            before
                .breaker
                .record(&breaker, Leave::Pass, Verdict::Bad, Duration::ZERO, now);
        assert_eq!(opened, Some(BreakerState::Open));
        let tighter = GuardSpec {
            requests: Some(1),
            ..spec
        };
        let after = Guard::build(&tighter, Some((&spec, &before)));
        assert_eq!(after.breaker.state(), BreakerState::Open);
        assert_eq!(after.enter(&tighter).err(), Some(1));
        let other = GuardSpec {
            breaker: Some(BreakerSpec {
                window: Duration::from_secs(1),
                ..breaker
            }),
            ..spec
        };
        let after = Guard::build(&other, Some((&spec, &before)));
        assert_eq!(after.breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let spec = GuardSpec::default();
        let guard = Guard::build(&spec, None);
        assert!(guard.enter(&spec).unwrap().is_none());
        assert_eq!(guard.status(&spec).requests, None);
    }
}
