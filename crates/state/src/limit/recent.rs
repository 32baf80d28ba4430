//! How often something happened lately.

use std::time::Duration;

/// A count over a sliding window: what came in the window of the clock, and of what came in the one
/// before the share that a window ending now still covers (as in
/// [`SlidingWindow`](super::SlidingWindow)).
///
/// The state is the number of the window (16 bits), its count (24 bits) and the count before it (24
/// bits); more than 2²⁴ − 1 in a window count as so many. Numbers repeat after 2¹⁶ windows: a key that
/// rests for just as long, 18 hours of seconds, finds the count it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    window: u64,
}

const MOST: u64 = (1 << 24) - 1;
const WINDOWS: u64 = 1 << 16;
/// By how many windows the clock of another thread may be ahead.
const AHEAD: u64 = 1 << 8;

impl Recent {
    /// Counts over a time, a millisecond at least.
    pub fn new(window: Duration) -> Self {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        Self {
            window: window.max(1_000_000),
        }
    }

    /// The state after one more, at a time in nanoseconds.
    #[must_use]
    pub const fn add(&self, state: u64, now: u64) -> u64 {
        let (window, here, before) = self.read(state, now);
        let here = if here < MOST { here + 1 } else { MOST };
        (window << 48) | (here << 24) | before
    }

    /// About how many there were.
    #[expect(
        clippy::cast_precision_loss,
        reason = "24 bits, and a share of a window"
    )]
    pub fn count(&self, state: u64, now: u64) -> f64 {
        let (window, here, before) = self.read(state, now);
        let ahead = window != now / self.window % WINDOWS;
        let passed = if ahead { 0 } else { now % self.window };
        let covered = (self.window - passed) as f64 / self.window as f64;
        (before as f64).mul_add(covered, here as f64)
    }

    /// When a state that was changed at a time is worth nothing any more.
    pub const fn idle_from(&self, now: u64) -> u64 {
        (now / self.window)
            .saturating_add(2)
            .saturating_mul(self.window)
    }

    /// The window, its count, and the count before.
    const fn read(&self, state: u64, now: u64) -> (u64, u64, u64) {
        let window = now / self.window % WINDOWS;
        let (known, here, before) = (state >> 48, (state >> 24) & MOST, state & MOST);
        match (window + WINDOWS - known) % WINDOWS {
            0 => (window, here, before),
            1 => (window, 0, here),
            // Somebody has read a later clock.
            late if late > WINDOWS - AHEAD => (known, here, before),
            _ => (window, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn recent() -> Recent {
        Recent::new(Duration::from_secs(1))
    }

    #[test]
    fn what_is_older_counts_less_and_less() {
        let (recent, at) = (recent(), 100 * SECOND);
        let state = (0..8).fold(0, |state, _| recent.add(state, at));
        let after = |time: u64| recent.count(state, at + time);
        assert_eq!(after(0), 8.0);
        assert_eq!(after(SECOND - 1), 8.0);
        assert_eq!(after(SECOND), 8.0);
        assert_eq!(after(SECOND * 3 / 2), 4.0);
        assert_eq!(after(2 * SECOND), 0.0);
        assert_eq!(recent.idle_from(at), at + 2 * SECOND);
    }

    #[test]
    fn a_clock_that_is_behind_loses_nothing() {
        let recent = recent();
        let state = recent.add(recent.add(0, 5 * SECOND), 5 * SECOND - 1);
        assert_eq!(recent.count(state, 5 * SECOND), 2.0);
        assert_eq!(recent.count(state, 5 * SECOND - 1), 2.0);
    }

    #[test]
    fn too_many_stay_as_many_as_fit() {
        let recent = recent();
        let full = (7 << 48) | (MOST << 24) | MOST;
        assert_eq!(recent.add(full, 7 * SECOND), full);
    }

    proptest! {
        /// Never less than what the last window had, never more than what the last two had.
        #[test]
        fn it_is_near_a_plain_count(steps in prop::collection::vec(0..SECOND, 1..200)) {
            let (recent, mut now, mut state, mut all) = (recent(), 70_000 * SECOND, 0, Vec::new());
            for step in steps {
                now += step;
                state = recent.add(state, now);
                all.push(now);
                let since = |from: u64| all.iter().filter(|at| **at >= from).count() as f64;
                let count = recent.count(state, now);
                prop_assert!(count >= since(now - now % SECOND));
                prop_assert!(count <= since(now - now % SECOND - SECOND));
            }
        }
    }
}
