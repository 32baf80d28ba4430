//! Whether a store is worth asking.

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;

/// One worker's view of a store. After [`FAILURES`] failures in a row it is not asked for a
/// [`PAUSE`], then by one request in each pause, until it answers.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: Cell<u32>,
    /// When it is asked again; `None` while it answers.
    retry_at: Cell<Option<Instant>>,
}

const FAILURES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

impl Breaker {
    /// Whether it may be asked now.
    pub(super) fn admits(&self, now: Instant) -> bool {
        match self.retry_at.get() {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                // Nobody else asks until it is known what came of this.
                self.retry_at.set(Some(now + PAUSE));
                true
            }
        }
    }

    /// Whether it is not asked now.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.retry_at.get().is_some_and(|at| now < at)
    }

    /// Whether it has not answered for a while.
    pub(super) fn has_opened(&self) -> bool {
        self.retry_at.get().is_some()
    }

    /// It has answered. Whether it had not been asked before.
    pub(super) fn succeeded(&self) -> bool {
        self.failures.set(0);
        self.retry_at.take().is_some()
    }

    /// It has not. Whether it is not asked from now on.
    pub(super) fn failed(&self, now: Instant) -> bool {
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        if failures < FAILURES {
            return false;
        }
        self.retry_at.replace(Some(now + PAUSE)).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_probes_and_closes() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let failed: Vec<_> = (0..4).map(|_| breaker.failed(now)).collect();
        assert_eq!(failed, [false, false, true, false]);
        assert!(breaker.is_open(now) && !breaker.admits(now + PAUSE / 2));
        let later = now + PAUSE;
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later), "one asks, the others do without");
        assert!(!breaker.failed(later));
        assert!(breaker.admits(later + PAUSE));
        assert!(breaker.succeeded());
        assert!(breaker.admits(later + PAUSE) && !breaker.succeeded());
        assert!(!breaker.failed(later), "it takes as many failures again");
    }
}
