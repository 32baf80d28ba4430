//! What all limits have in common.

use std::{fmt, time::Duration};

use super::{FixedWindow, SlidingWindow, TokenBucket};

/// A limit. Its state is one word; 0 is the state of a key that was never seen.
///
/// Times are nanoseconds since 1970, on a clock that does not jump. One that goes back a little, as
/// between two threads, neither gives anything back nor takes anything away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Evenly, with bursts.
    TokenBucket(TokenBucket),
    /// So many in any window, about.
    SlidingWindow(SlidingWindow),
    /// So many in each window of the clock.
    FixedWindow(FixedWindow),
}

/// What is left after something was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How much may be spent at once now.
    pub remaining: u64,
    /// When all of it may be spent again: the bucket is full, the window is over.
    pub reset: Duration,
}

/// Why something is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How much may be spent at once now: less than was asked for.
    pub remaining: u64,
    /// When as much would be admitted, if nothing else is spent. `None`: it is more than the limit
    /// ever allows at once.
    pub after: Option<Duration>,
}

/// Why a limit can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It would allow nothing, ever.
    Zero,
    /// Its time is zero, or longer than a century.
    Period,
    /// More than can be counted; with the most that can.
    TooMany(u64),
}

impl Rule {
    /// Spends `cost` of a key in a state: the state afterwards and what is left.
    ///
    /// # Errors
    /// It is not admitted; nothing is spent.
    pub fn spend(&self, state: u64, now: u64, cost: u64) -> Result<(u64, Left), Refused> {
        match self {
            Self::TokenBucket(rule) => rule.spend(state, now, cost),
            Self::SlidingWindow(rule) => rule.spend(state, now, cost),
            Self::FixedWindow(rule) => rule.spend(state, now, cost),
        }
    }

    /// Gives back what was spent and then not used.
    pub fn refund(&self, state: u64, now: u64, cost: u64) -> u64 {
        match self {
            Self::TokenBucket(rule) => rule.refund(state, cost),
            Self::SlidingWindow(rule) => rule.refund(state, now, cost),
            Self::FixedWindow(rule) => rule.refund(state, now, cost),
        }
    }

    /// From when on the state is worth no more than that of a key never seen.
    pub fn idle_from(&self, state: u64, now: u64) -> u64 {
        match self {
            Self::TokenBucket(rule) => rule.idle_from(state),
            Self::SlidingWindow(rule) => rule.idle_from(state, now),
            Self::FixedWindow(rule) => rule.idle_from(state, now),
        }
    }

    /// The most that can be spent at once.
    pub const fn most(&self) -> u64 {
        match self {
            Self::TokenBucket(rule) => rule.burst(),
            Self::SlidingWindow(rule) => rule.limit(),
            Self::FixedWindow(rule) => rule.limit(),
        }
    }
}

/// A period in nanoseconds, if it can be worked with.
pub(super) fn period(per: Duration) -> Result<u64, Invalid> {
    /// Some time longer than any limit is meant for, short enough that no sum of two overflows.
    const CENTURY: u64 = 100 * 366 * 86_400 * 1_000_000_000;
    match u64::try_from(per.as_nanos()) {
        Ok(nanos @ 1..=CENTURY) => Ok(nanos),
        _ => Err(Invalid::Period),
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("it would admit nothing, ever"),
            Self::Period => f.write_str("the time is zero, or longer than a century"),
            Self::TooMany(most) => write!(f, "more than {most} can't be counted"),
        }
    }
}
