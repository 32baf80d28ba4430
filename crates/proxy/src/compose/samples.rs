//! Requests of a composition that are kept to be looked at.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use lintel_kernel::LegRecords;

/// How many are kept.
const KEPT: usize = 16;

/// One is taken in so long at most: the others cost a comparison.
const EVERY: Duration = Duration::from_millis(500);

/// The last requests that were taken.
pub struct Samples {
    since: Instant,
    /// When the next one is taken, in milliseconds.
    due: AtomicU64,
    last: Mutex<VecDeque<Sample>>,
}

/// A request, and what became of its legs.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was done.
    pub at: SystemTime,
    /// Its id.
    pub request_id: String,
    /// `whole`, `partial` or `failed`.
    pub result: &'static str,
    /// From the beginning of the first leg to the answer.
    pub took: Duration,
    /// Its legs.
    pub legs: LegRecords,
}

impl Samples {
    /// Takes a request, if it is time for one and nobody else is at it.
    pub(super) fn offer(&self, make: impl FnOnce() -> Sample) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.due.load(Relaxed);
        let next = now.saturating_add(EVERY.as_millis() as u64);
        let own = now >= due
            && self
                .due
                .compare_exchange(due, next, Relaxed, Relaxed)
                .is_ok();
        let last = own.then(|| self.last.try_lock().ok()).flatten();
        if let Some(mut last) = last {
            last.truncate(KEPT - 1);
            last.push_front(make());
        }
    }

    /// Those that are kept, the last one first.
    pub fn last(&self) -> Vec<Sample> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().cloned().collect()
    }
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            due: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(id: usize) -> Sample {
        Sample {
            at: SystemTime::UNIX_EPOCH,
            request_id: id.to_string(),
            result: "whole",
            took: Duration::ZERO,
            legs: LegRecords::default(),
        }
    }

    #[test]
    fn the_last_ones_are_kept() {
        let samples = Samples::default();
        for id in 0..100 {
            // As if it were long ago.
            samples.due.store(0, Relaxed);
            samples.offer(|| sample(id));
        }
        let ids: Vec<String> = samples
            .last()
            .into_iter()
            .map(|sample| sample.request_id)
            .collect();
        let expected: Vec<String> = (84..100).rev().map(|id| id.to_string()).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn only_one_is_taken_at_a_time() {
        let samples = Samples::default();
        samples.due.store(u64::MAX, Relaxed);
        samples.offer(|| sample(1));
        assert!(samples.last().is_empty());
    }
}
