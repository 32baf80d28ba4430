//! How many tries a service may cost beyond its requests, so that retries can't become a storm.
//!
//! The idea is Finagle's `RetryBudget`: requests pay in, retries draw, both over a sliding window.

use tokio::time::Instant;

use super::tally::{BUCKETS, Tally};

/// Seconds over which requests and retries are compared.
pub const WINDOW_SECS: u32 = BUCKETS;

/// What retries may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetSpec {
    /// Retries for each request, from 0.0 up.
    pub share: f64,
    /// Retries a second that are allowed however few requests there are.
    pub min_per_second: f64,
}

/// One service's requests and retries of the last [`WINDOW_SECS`] seconds, over all workers.
pub(crate) struct Budget {
    since: Instant,
    requests: Tally,
    retries: Tally,
}

impl Default for BudgetSpec {
    fn default() -> Self {
        Self {
            share: 0.2,
            min_per_second: 3.0,
        }
    }
}

impl BudgetSpec {
    /// Retries allowed in a window with so many requests.
    pub(crate) fn allowed(&self, requests: u64) -> u64 {
        let allowed = self.share * requests as f64 + self.min_per_second * f64::from(WINDOW_SECS);
        // A product such as 0.2 × 15 may come out a hair below the whole number that is meant.
        (allowed + 1e-6) as u64
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            requests: Tally::default(),
            retries: Tally::default(),
        }
    }
}

impl Budget {
    /// A request begins.
    pub(crate) fn deposit(&self, now: Instant) {
        self.requests.add(self.tick(now));
    }

    /// Whether one more retry is within the budget; if so, it is taken from it.
    ///
    /// The retry is counted first and taken back if it was too much: of several workers that ask
    /// for the last one, at most one gets it.
    pub(crate) fn withdraw(&self, spec: &BudgetSpec, now: Instant) -> bool {
        let tick = self.tick(now);
        self.retries.add(tick);
        let within = self.retries.sum(tick) <= spec.allowed(self.requests.sum(tick));
        if !within {
            self.retries.take_back(tick);
        }
        within
    }

    /// Requests and retries within the window.
    pub(crate) fn counts(&self, now: Instant) -> (u64, u64) {
        let tick = self.tick(now);
        (self.requests.sum(tick), self.retries.sum(tick))
    }

    fn tick(&self, now: Instant) -> u32 {
        let secs = now.saturating_duration_since(self.since).as_secs();
        u32::try_from(secs).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use proptest::prelude::*;

    use super::*;

    const SPEC: BudgetSpec = BudgetSpec {
        share: 0.2,
        min_per_second: 0.0,
    };

    #[test]
    fn one_retry_for_five_requests() {
        let (budget, now) = (Budget::default(), Instant::now());
        for _ in 0..4 {
            budget.deposit(now);
        }
        assert!(!budget.withdraw(&SPEC, now));
        budget.deposit(now);
        assert!(budget.withdraw(&SPEC, now));
        assert!(!budget.withdraw(&SPEC, now));
        assert_eq!(budget.counts(now), (5, 1));
    }

    #[test]
    fn a_quiet_service_has_the_minimum() {
        let spec = BudgetSpec {
            min_per_second: 0.3,
            ..SPEC
        };
        let (budget, now) = (Budget::default(), Instant::now());
        let granted = (0..10).filter(|_| budget.withdraw(&spec, now)).count();
        assert_eq!(granted, 3);
        let later = now + Duration::from_secs(11);
        assert!(budget.withdraw(&spec, later));
    }

    #[test]
    fn workers_at_once_get_no_more_than_there_is() {
        let (budget, now, granted) = (Budget::default(), Instant::now(), AtomicU64::new(0));
        (0..1_000).for_each(|_| budget.deposit(now));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if budget.withdraw(&SPEC, now) {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let granted = granted.into_inner();
        assert!((1..=200).contains(&granted), "{granted}");
        assert_eq!(budget.counts(now).1, granted);
    }

    proptest! {
        /// Whatever the traffic, no retry is granted that the window does not pay for.
        #[test]
        fn never_exceeded(
            share in 0.0_f64..1.0,
            min in 0.0_f64..5.0,
            steps in prop::collection::vec((0_u64..1_500, 0_u32..20, 0_u32..20), 1..80),
        ) {
            let spec = BudgetSpec { share, min_per_second: min };
            let budget = Budget::default();
            let mut now = budget.since;
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (pause, ask, send) in steps {
                now += Duration::from_millis(pause);
                let second = (now - budget.since).as_secs();
                for _ in 0..send {
                    budget.deposit(now);
                    requests.push(second);
                }
                for _ in 0..ask {
                    if budget.withdraw(&spec, now) {
                        retries.push(second);
                    }
                    let within = |all: &[u64]| {
                        all.iter().filter(|at| **at + u64::from(WINDOW_SECS) > second).count() as u64
                    };
                    if retries.last() == Some(&second) {
                        prop_assert!(within(&retries) <= spec.allowed(within(&requests)));
                    }
                }
            }
        }
    }
}
