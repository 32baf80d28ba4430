//! So many in any window, about.

use std::time::Duration;

use super::rule::{Invalid, Left, Refused, period};

/// At most about `limit` in any window: what came in the window of the clock before counts by the
/// share of it that a window ending now still covers, as if it had come evenly (the "sliding window
/// counter" of Cloudflare, 2017, and Kong). It never admits more than two fixed windows next to
/// each other would, and in the long run no more than the rate.
///
/// The state is the number of the window (24 bits), its count (20 bits) and the count before it (20
/// bits). Numbers repeat after 2²⁴ windows: a key that rests for just as long, 194 days of seconds,
/// finds the count it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    per: u64,
    limit: u64,
}

/// A state taken apart, as of a window.
#[derive(Clone, Copy)]
struct Counts {
    window: u64,
    now: u64,
    before: u64,
    /// How much of the window has passed, in nanoseconds.
    passed: u64,
}

const MOST: u64 = (1 << 20) - 1;
const WINDOWS: u64 = 1 << 24;
/// By how many windows a clock may be ahead.
const AHEAD: u64 = 1 << 10;

impl SlidingWindow {
    /// At most about `limit` in any window of the length `per`.
    ///
    /// # Errors
    /// Nothing would be admitted; a window shorter than a second; more than 2²⁰ − 1 in one.
    pub fn new(limit: u64, per: Duration) -> Result<Self, Invalid> {
        let per = period(per)?;
        match limit {
            _ if per < 1_000_000_000 => Err(Invalid::Period),
            0 => Err(Invalid::Zero),
            1..=MOST => Ok(Self { per, limit }),
            _ => Err(Invalid::TooMany(MOST)),
        }
    }

    /// The most in one window.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The same windows with room for so many, or for as many as can be counted.
    pub(super) fn raised(&self, most: u64) -> Self {
        let limit = most.min(MOST).max(self.limit);
        Self { limit, ..*self }
    }

    pub(super) fn spend(&self, state: u64, now: u64, cost: u64) -> Result<(u64, Left), Refused> {
        let counts = self.counts(state, now);
        let left = self.left(&counts);
        if cost > left {
            return Err(Refused {
                remaining: left,
                after: (cost <= self.limit).then(|| self.wait(&counts, cost)),
            });
        }
        let spent = Counts {
            now: counts.now + cost,
            ..counts
        };
        let left = Left {
            remaining: left - cost,
            reset: Duration::from_nanos(self.per - counts.passed),
        };
        Ok((spent.pack(), left))
    }

    pub(super) fn refund(&self, state: u64, now: u64, cost: u64) -> u64 {
        let mut counts = self.counts(state, now);
        // What is not of this window was spent in the one before.
        let here = counts.now.min(cost);
        counts.now -= here;
        counts.before = counts.before.saturating_sub(cost - here);
        counts.pack()
    }

    pub(super) fn idle_from(&self, _: u64, now: u64) -> u64 {
        (now - now % self.per).saturating_add(self.per.saturating_mul(2))
    }

    /// How much may be spent.
    fn left(&self, counts: &Counts) -> u64 {
        let per = u128::from(self.per);
        let before = u128::from(counts.before) * u128::from(self.per - counts.passed);
        let used = before + u128::from(counts.now) * per;
        let left = (u128::from(self.limit) * per).saturating_sub(used) / per;
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    /// How long until `cost`, which is no more than the limit, may be spent.
    fn wait(&self, counts: &Counts, cost: u64) -> Duration {
        let fits = |room: u64, before: u64| match before {
            0 => 0,
            // Of the window before, no more than `room` may still count.
            _ => {
                let covered = u128::from(room) * u128::from(self.per) / u128::from(before);
                self.per - u64::try_from(covered).unwrap_or(self.per).min(self.per)
            }
        };
        let nanos = match self.limit.checked_sub(counts.now + cost) {
            Some(room) => fits(room, counts.before).saturating_sub(counts.passed),
            None => self.per - counts.passed + fits(self.limit - cost, counts.now),
        };
        Duration::from_nanos(nanos)
    }

    /// The state as of the window that it is. One from later counts as of its beginning: the clock
    /// of another thread was ahead.
    fn counts(&self, state: u64, now: u64) -> Counts {
        let window = now / self.per % WINDOWS;
        let passed = now % self.per;
        let known = state >> 40;
        let (count, before) = (state >> 20 & MOST, state & MOST);
        let since = window.wrapping_sub(known) % WINDOWS;
        match since {
            0 => Counts {
                window,
                now: count,
                before,
                passed,
            },
            1 => Counts {
                window,
                now: 0,
                before: count,
                passed,
            },
            since if since > WINDOWS - AHEAD && count + before > 0 => Counts {
                window: known,
                now: count,
                before,
                passed: 0,
            },
            _ => Counts {
                window,
                now: 0,
                before: 0,
                passed,
            },
        }
    }
}

impl Counts {
    fn pack(&self) -> u64 {
        (self.window << 40) | (self.now.min(MOST) << 20) | self.before.min(MOST)
    }
}
