//! What one worker is doing with one endpoint, readable by other threads.

use std::{
    sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use crate::{balance::PeakEwma, health::Moment};

/// What one worker is doing with one endpoint. Written by that worker alone.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) in_flight: Count,
    pub(crate) idle: Count,
    pub(crate) results: Results,
}

/// How requests have fared. Written by one worker, summed by the control side.
#[derive(Default)]
pub(crate) struct Results {
    good: AtomicU64,
    bad: AtomicU64,
    /// Tries whose time is known, and the sum of their times in microseconds.
    timed: AtomicU64,
    micros: AtomicU64,
    /// Seconds, as bits; see [`PeakEwma`].
    latency: AtomicU64,
    measured: AtomicI64,
}

/// Sums of [`Results`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) good: u64,
    pub(crate) bad: u64,
    /// Tries whose time is known.
    pub(crate) timed: u64,
    pub(crate) micros: u64,
}

/// A counter with one writer: plain loads and stores, readable by other threads.
#[derive(Default)]
pub(crate) struct Count(AtomicU32);

impl Results {
    /// Counts how a try went.
    pub(crate) fn count(&self, good: bool) {
        bump(if good { &self.good } else { &self.bad }, 1);
    }

    /// Notes how long a try took, and how long the next one is to be expected to take by it.
    pub(crate) fn time(&self, took: Duration, expected: Duration, now: Moment) {
        bump(&self.timed, 1);
        bump(&self.micros, u64::try_from(took.as_micros()).unwrap_or(0));
        let elapsed = Moment(self.measured.load(Ordering::Relaxed)).until(now);
        let latency = self.average().observe(expected, elapsed);
        self.latency
            .store(latency.seconds.to_bits(), Ordering::Relaxed);
        self.measured.store(now.0, Ordering::Relaxed);
    }

    /// A try that was given up after so long would have taken longer still.
    pub(crate) fn at_least(&self, took: Duration, now: Moment) {
        if took.as_secs_f64() > self.latency(now) {
            let seconds = took.as_secs_f64();
            self.latency.store(seconds.to_bits(), Ordering::Relaxed);
            self.measured.store(now.0, Ordering::Relaxed);
        }
    }

    /// Seconds that answers take, as of now; 0 where that is not known.
    pub(crate) fn latency(&self, now: Moment) -> f64 {
        self.average()
            .after(Moment(self.measured.load(Ordering::Relaxed)).until(now))
    }

    fn average(&self) -> PeakEwma {
        PeakEwma {
            seconds: f64::from_bits(self.latency.load(Ordering::Relaxed)),
        }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            good: self.good.load(Ordering::Relaxed),
            bad: self.bad.load(Ordering::Relaxed),
            timed: self.timed.load(Ordering::Relaxed),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

impl Tally {
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            good: self.good.wrapping_add(other.good),
            bad: self.bad.wrapping_add(other.bad),
            timed: self.timed.wrapping_add(other.timed),
            micros: self.micros.wrapping_add(other.micros),
        }
    }

    /// What has come since `before`. A worker that ended took its part with it: that is no less
    /// than nothing.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            good: self.good.saturating_sub(before.good),
            bad: self.bad.saturating_sub(before.bad),
            timed: self.timed.saturating_sub(before.timed),
            micros: self.micros.saturating_sub(before.micros),
        }
    }
}

/// Only the worker that owns the number writes it.
fn bump(number: &AtomicU64, by: u64) {
    number.store(
        number.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}

impl Count {
    pub(crate) fn value(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn add(&self) {
        self.set(self.value().wrapping_add(1));
    }

    pub(crate) fn subtract(&self) {
        self.set(self.value().saturating_sub(1));
    }
}
