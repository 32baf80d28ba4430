//! So many in each window of the clock.

use std::time::Duration;

use super::rule::{Invalid, Left, Refused, period};

/// At most `limit` in each window. Windows begin at multiples of their length since 1970, so that
/// those of a minute are the minutes of the clock (UTC). Twice as much may come in a short time
/// around the end of a window.
///
/// The state is the number of the window in its upper half and the count in its lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    per: u64,
    limit: u32,
}

impl FixedWindow {
    /// At most `limit` in each window of the length `per`.
    ///
    /// # Errors
    /// Nothing would be admitted; a window shorter than a second; more than 2³² − 1 in one.
    pub fn new(limit: u64, per: Duration) -> Result<Self, Invalid> {
        let per = period(per)?;
        match u32::try_from(limit) {
            _ if per < 1_000_000_000 => Err(Invalid::Period),
            Ok(0) => Err(Invalid::Zero),
            Ok(limit) => Ok(Self { per, limit }),
            Err(_) => Err(Invalid::TooMany(u64::from(u32::MAX))),
        }
    }

    /// The most in one window.
    pub const fn limit(&self) -> u64 {
        self.limit as u64
    }

    /// The same windows with room for so many, or for as many as can be counted.
    pub(super) fn raised(&self, most: u64) -> Self {
        let limit = u32::try_from(most).unwrap_or(u32::MAX).max(self.limit);
        Self { limit, ..*self }
    }

    pub(super) fn spend(&self, state: u64, now: u64, cost: u64) -> Result<(u64, Left), Refused> {
        let (window, count) = self.current(state, now);
        let remaining = self.limit().saturating_sub(u64::from(count));
        let over = Duration::from_nanos(self.per - now % self.per);
        if cost > remaining {
            let possible = cost <= self.limit();
            return Err(Refused {
                remaining,
                after: possible.then_some(over),
            });
        }
        let count = u64::from(count) + cost;
        let left = Left {
            remaining: remaining - cost,
            reset: over,
        };
        Ok((pack(window, count), left))
    }

    pub(super) fn refund(&self, state: u64, now: u64, cost: u64) -> u64 {
        let (window, count) = self.current(state, now);
        pack(window, u64::from(count).saturating_sub(cost))
    }

    pub(super) fn idle_from(&self, _: u64, now: u64) -> u64 {
        (now - now % self.per).saturating_add(self.per)
    }

    /// The window that it is, and its count. A state from later than now counts for now: the clock
    /// of another thread was ahead.
    fn current(&self, state: u64, now: u64) -> (u32, u32) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "halves of a word; numbers wrap"
        )]
        let (window, known, count) = ((now / self.per) as u32, (state >> 32) as u32, state as u32);
        if count > 0 && known.wrapping_sub(window) < AHEAD {
            (known, count)
        } else {
            (window, 0)
        }
    }
}

/// By how many windows a clock may be ahead. Numbers beyond are from long before.
const AHEAD: u32 = 1 << 16;

fn pack(window: u32, count: u64) -> u64 {
    (u64::from(window) << 32) | count.min(u64::from(u32::MAX))
}
