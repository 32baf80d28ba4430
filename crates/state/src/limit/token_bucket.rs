//! A bucket of tokens that fills evenly.

use std::time::Duration;

use super::rule::{Invalid, Left, Refused, period};

/// At most `burst` at once, and as many again as trickle in: never more than `rate · t + burst` in
/// any stretch of time, and never less where as much is asked for.
///
/// The generic cell rate algorithm in its form of virtual scheduling (ITU-T I.371, annex A): the
/// state is the time at which the bucket will be full, the "theoretical arrival time" of the next
/// cell. It counts in ticks, of which a token takes a whole number, so that rates which don't divide
/// a second are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// Ticks a nanosecond, times 2⁶².
    ticks: u64,
    /// Ticks that one token takes to trickle in.
    step: u64,
    /// Tokens in a full bucket.
    burst: u64,
}

/// Ticks in a second, about: 0.5 ns each. Until 2106 the time in ticks leaves half of a word for the
/// depth of the bucket.
const TICKS: u128 = 1 << 31;
/// The deepest bucket, in ticks.
const DEEPEST: u64 = 1 << 62;
const SHIFT: u32 = 62;
/// Tokens a second; there is less than a tick for each beyond.
const FASTEST: u64 = 1_000_000_000;

impl TokenBucket {
    /// A bucket of `burst` tokens into which `count` tokens trickle in each `per`.
    ///
    /// # Errors
    /// A bucket without tokens, a time that can't be worked with, more than 10⁹ tokens a second.
    pub fn new(count: u64, per: Duration, burst: u64) -> Result<Self, Invalid> {
        let per = period(per)?;
        if count == 0 || burst == 0 {
            return Err(Invalid::Zero);
        }
        let (wide, nanos) = (u128::from(count), u128::from(per));
        if wide * 1_000_000_000 > nanos * u128::from(FASTEST) {
            return Err(Invalid::TooMany(FASTEST));
        }
        let fine = TICKS * nanos / (wide * 1_000_000_000);
        let step = u64::try_from(fine).unwrap_or(u64::MAX).min(DEEPEST / burst);
        if step == 0 {
            return Err(Invalid::TooMany(DEEPEST));
        }
        let ticks = ((wide * u128::from(step)) << SHIFT) / nanos;
        Ok(Self {
            ticks: u64::try_from(ticks).unwrap_or(u64::MAX),
            step,
            burst,
        })
    }

    /// Tokens in a full bucket.
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// The same rate and the same states, with room for so many tokens at once, or for as many as
    /// can be counted.
    pub(super) fn raised(&self, most: u64) -> Self {
        let burst = most.min(DEEPEST / self.step).max(self.burst);
        Self { burst, ..*self }
    }

    pub(super) fn spend(&self, full_at: u64, now: u64, cost: u64) -> Result<(u64, Left), Refused> {
        let now = self.ticks_at(now);
        let depth = self.burst * self.step;
        let full_at = full_at.max(now);
        let remaining = depth.saturating_sub(full_at - now) / self.step;
        let Some(need) = cost.checked_mul(self.step).filter(|need| *need <= depth) else {
            return Err(Refused {
                remaining,
                after: None,
            });
        };
        let after = full_at.saturating_add(need);
        let missing = (after - now).saturating_sub(depth);
        if missing > 0 {
            return Err(Refused {
                remaining,
                after: Some(self.time(missing)),
            });
        }
        let left = Left {
            remaining: (depth - (after - now)) / self.step,
            reset: self.about(after - now),
        };
        Ok((after, left))
    }

    pub(super) fn refund(&self, full_at: u64, cost: u64) -> u64 {
        full_at.saturating_sub(cost.saturating_mul(self.step))
    }

    pub(super) fn idle_from(&self, full_at: u64) -> u64 {
        self.nanos(full_at)
    }

    /// Rounded down, so that time never runs ahead of what is admitted.
    fn ticks_at(&self, nanos: u64) -> u64 {
        let ticks = (u128::from(nanos) * u128::from(self.ticks)) >> SHIFT;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The time in which at least so many ticks pass.
    fn nanos(&self, ticks: u64) -> u64 {
        let nanos = ((u128::from(ticks) + 1) << SHIFT).div_ceil(u128::from(self.ticks.max(1)));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// The time of so many ticks, to the nanosecond.
    fn about(&self, ticks: u64) -> Duration {
        let nanos = (u128::from(ticks) << SHIFT) / u128::from(self.ticks.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn time(&self, ticks: u64) -> Duration {
        Duration::from_nanos(self.nanos(ticks))
    }
}
