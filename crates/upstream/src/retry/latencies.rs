//! Quantiles of how long a service takes, as one worker sees it.

use std::time::Duration;

use tokio::time::Instant;

/// How long an answer counts: in full for at least this time, and no longer than twice.
const WINDOW: Duration = Duration::from_secs(10);

/// With fewer answers nothing is said: of 50, the 95th percentile is the third longest.
const LEAST: u32 = 50;

/// After so many more answers a quantile is computed anew.
const FRESH: u32 = 16;

/// Buckets for each doubling, and for the first few microseconds.
const STEPS: u64 = 8;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// The longest time that is told from longer ones is 2^27 µs, 134 s.
const DOUBLINGS: usize = 27 - STEP_BITS as usize;
const BUCKETS: usize = STEPS as usize * (DOUBLINGS + 1);

/// A histogram whose buckets grow with what they count (as in HdrHistogram), over a window of two
/// halves.
///
/// What it says is the upper end of a bucket, which is at most an eighth above its lower end: never
/// shorter than the true quantile of the window, and at most 12.5 % or 1 µs longer.
pub(crate) struct Latencies {
    halves: [Half; 2],
    /// When the first half began.
    since: Instant,
    /// The last quantile that was asked for, what it was, and what had been counted by then.
    known: Option<(f64, Option<Duration>, u32)>,
}

struct Half {
    counts: [u32; BUCKETS],
    total: u32,
}

const EMPTY: Half = Half {
    counts: [0; BUCKETS],
    total: 0,
};

impl Latencies {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            halves: [EMPTY; 2],
            since: now,
            known: None,
        }
    }

    /// Counts an answer.
    pub(crate) fn add(&mut self, took: Duration, now: Instant) {
        self.turn(now);
        let [current, _] = &mut self.halves;
        if let Some(count) = current.counts.get_mut(bucket(took)) {
            *count = count.saturating_add(1);
            current.total = current.total.saturating_add(1);
        }
    }

    /// The time within which this share of the answers came; none while there are too few.
    pub(crate) fn quantile(&mut self, share: f64, now: Instant) -> Option<Duration> {
        self.turn(now);
        let total = self.total();
        if let Some((known, answer, then)) = self.known
            && known.to_bits() == share.to_bits()
            && total < then.saturating_add(FRESH)
        {
            return answer;
        }
        let answer = self.find(share);
        self.known = Some((share, answer, total));
        answer
    }

    fn find(&self, share: f64) -> Option<Duration> {
        let total = self.total();
        if total < LEAST {
            return None;
        }
        let rank = (f64::from(total) * share.clamp(0.0, 1.0)).ceil().max(1.0);
        let [current, before] = &self.halves;
        let mut below = 0.0;
        let both = current.counts.iter().zip(&before.counts);
        for (index, (one, other)) in both.enumerate() {
            below += f64::from(*one) + f64::from(*other);
            if below >= rank {
                return Some(upper(index));
            }
        }
        None
    }

    fn total(&self) -> u32 {
        let [current, before] = &self.halves;
        current.total.saturating_add(before.total)
    }

    /// Lets go of the older half when the newer is full of age.
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age < WINDOW {
            return;
        }
        self.halves.swap(0, 1);
        let [current, before] = &mut self.halves;
        *current = EMPTY;
        if age >= 2 * WINDOW {
            *before = EMPTY;
        }
        self.since = now;
        self.known = None;
    }
}

/// Microseconds below [`STEPS`] have a bucket each, and every doubling above has [`STEPS`].
fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let Some(doubling) = micros
        .checked_ilog2()
        .and_then(|log| log.checked_sub(STEP_BITS))
    else {
        return usize::try_from(micros).unwrap_or(0);
    };
    let step = (micros >> doubling) & (STEPS - 1);
    let index = u64::from(doubling + 1) * STEPS + step;
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// The end of a bucket.
fn upper(index: usize) -> Duration {
    let (index, steps) = (index as u64, STEPS);
    let micros = match (index / steps).checked_sub(1) {
        None => index + 1,
        Some(doubling) => (steps + index % steps + 1) << doubling,
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    fn filled(micros: &[u64], now: Instant) -> Latencies {
        let mut latencies = Latencies::new(now);
        for took in micros {
            latencies.add(Duration::from_micros(*took), now);
        }
        latencies
    }

    #[test]
    fn nothing_is_said_of_a_few() {
        let now = Instant::now();
        let mut latencies = filled(&[1_000; 49], now);
        assert_eq!(latencies.quantile(0.95, now), None);
        (0..FRESH).for_each(|_| latencies.add(Duration::from_millis(1), now));
        assert!(latencies.quantile(0.95, now).is_some());
    }

    #[test]
    fn old_answers_are_forgotten() {
        let now = Instant::now();
        let mut latencies = filled(&[100_000; 100], now);
        assert!(latencies.quantile(0.5, now).unwrap() >= Duration::from_millis(100));
        let later = now + WINDOW;
        (0..300).for_each(|_| latencies.add(Duration::from_millis(1), later));
        assert!(latencies.quantile(0.5, later).unwrap() < Duration::from_millis(2));
        assert!(latencies.quantile(0.99, later).unwrap() >= Duration::from_millis(100));
        let latest = later + WINDOW;
        (0..100).for_each(|_| latencies.add(Duration::from_millis(1), latest));
        assert!(latencies.quantile(0.99, latest).unwrap() < Duration::from_millis(2));
        assert_eq!(latencies.quantile(0.5, latest + 3 * WINDOW), None);
    }

    proptest! {
        /// Against the sorted list: never below, and above by an eighth at most.
        #[test]
        fn the_error_is_bounded(
            mut micros in prop::collection::vec(0_u64..120_000_000, 50..400),
            small in prop::collection::vec(0_u64..2_000, 0..400),
            share in 0.01_f64..1.0,
        ) {
            micros.extend(small);
            let now = Instant::now();
            let said = filled(&micros, now).quantile(share, now).unwrap().as_micros();
            micros.sort_unstable();
            let rank = (micros.len() as f64 * share).ceil().max(1.0) as usize;
            let truth = u128::from(micros[rank - 1]);
            prop_assert!(said >= truth);
            prop_assert!(said <= truth + truth / 8 + 1, "{} for {}", said, truth);
        }

        #[test]
        fn every_time_has_its_bucket(micros in 0_u64..134_217_727) {
            let took = Duration::from_micros(micros);
            let index = bucket(took);
            prop_assert!(took < upper(index));
            prop_assert!(index == 0 || took >= upper(index - 1));
        }
    }
}
