//! How long a named group of cells lives: as long as something uses it, and an hour more.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a name that nothing uses any more keeps its series, so that a route that is taken out
/// and put back goes on counting where it was.
pub const RETIRE_AFTER: Duration = Duration::from_secs(3600);

const IN_USE: u64 = 0;
const RETIRED: u64 = u64::MAX;

/// Seconds since the first use of the crate, from 1.
pub(crate) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs() + 1
}

/// Whether one worker's block is in use: 0, the second since when it is not, or retired.
///
/// The worker moves it between the first two, the control thread from idle to retired. A retired
/// block never comes back; the worker makes a new one.
#[derive(Default)]
pub(crate) struct Life(AtomicU64);

impl Life {
    /// Nothing uses the block any more.
    pub(crate) fn release(&self) {
        self.0.store(now(), Ordering::Release);
    }

    /// Takes an idle block into use again. `false` if it was retired in the meantime.
    pub(crate) fn revive(&self) -> bool {
        let seen = self.0.load(Ordering::Acquire);
        seen != RETIRED
            && self
                .0
                .compare_exchange(seen, IN_USE, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.0.load(Ordering::Acquire) == RETIRED
    }

    /// The value since when it is idle, if that is at least [`RETIRE_AFTER`] ago.
    fn overdue(&self, now: u64) -> Option<u64> {
        let since = self.0.load(Ordering::Acquire);
        let due = since != IN_USE
            && since != RETIRED
            && now.saturating_sub(since) >= RETIRE_AFTER.as_secs();
        due.then_some(since)
    }

    fn retire(&self, since: u64) -> bool {
        self.0
            .compare_exchange(since, RETIRED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// Retires a name's blocks of all workers together, or none: a sum that loses one worker's part
/// would look like a counter reset.
pub(crate) fn retire<'a>(lives: impl Iterator<Item = &'a Arc<Life>> + Clone, now: u64) -> bool {
    if !lives.clone().all(|life| life.overdue(now).is_some()) {
        return false;
    }
    let mut retired: Vec<(&Life, u64)> = Vec::new();
    for life in lives {
        match life.overdue(now) {
            Some(since) if life.retire(since) => retired.push((life, since)),
            // A worker took the name up again just now: the others go back to being idle.
            _ => {
                for (life, since) in retired {
                    life.0.store(since, Ordering::Release);
                }
                return false;
            }
        }
    }
    true
}
