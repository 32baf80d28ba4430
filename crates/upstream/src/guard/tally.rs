//! Counting events over a sliding window, from any number of threads and without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets of a window. The window slides by one of them at a time.
pub(crate) const BUCKETS: u32 = 10;

const COUNT_BITS: u32 = 32;

/// How often something happened in the last [`BUCKETS`] ticks, the current one included.
///
/// Each bucket holds the tick it is of above the count, so that one word says both and a bucket of
/// an older round is replaced in one step. A thread that was held up between reading the clock and
/// counting may count into the tick after; nothing is lost and nothing is counted twice.
#[derive(Default)]
pub(crate) struct Tally([AtomicU64; BUCKETS as usize]);

impl Tally {
    /// Counts one event.
    pub(crate) fn add(&self, tick: u32) {
        let Some(bucket) = self.bucket(tick) else {
            return;
        };
        let stamp = stamp(tick);
        let mut known = bucket.load(Ordering::Relaxed);
        loop {
            if known >= stamp {
                bucket.fetch_add(1, Ordering::Relaxed);
                return;
            }
            match bucket.compare_exchange_weak(
                known,
                stamp + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(newer) => known = newer,
            }
        }
    }

    /// Takes one event back that was counted in this tick.
    pub(crate) fn take_back(&self, tick: u32) {
        if let Some(bucket) = self.bucket(tick) {
            let less = |known: u64| (known > stamp(tick)).then(|| known - 1);
            // Nothing to take back from a bucket that has been replaced.
            let _replaced = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Events within the window that ends with `tick`.
    pub(crate) fn sum(&self, tick: u32) -> u64 {
        let oldest = stamp(tick.saturating_sub(BUCKETS - 1));
        self.0
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .filter(|known| *known >= oldest)
            .map(|known| known & u64::from(u32::MAX))
            .sum()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for bucket in &self.0 {
            bucket.store(0, Ordering::Relaxed);
        }
    }

    fn bucket(&self, tick: u32) -> Option<&AtomicU64> {
        self.0.get((tick % BUCKETS) as usize)
    }
}

/// A bucket of this tick with nothing in it. Tick 0 is told from a bucket never used by the 1.
fn stamp(tick: u32) -> u64 {
    (u64::from(tick) + 1) << COUNT_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_leave_with_their_bucket() {
        let tally = Tally::default();
        tally.add(0);
        tally.add(0);
        assert_eq!(tally.sum(0), 2);
        tally.add(3);
        assert_eq!(tally.sum(9), 3);
        assert_eq!(tally.sum(10), 1);
        assert_eq!(tally.sum(13), 0);
        tally.add(13);
        assert_eq!(tally.sum(13), 1);
        tally.take_back(13);
        tally.take_back(13);
        assert_eq!(tally.sum(13), 0);
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_a_plain_count(steps in prop::collection::vec(0_u32..4, 1..200)) {
            let (tally, mut tick, mut all) = (Tally::default(), 0, Vec::new());
            for step in steps {
                tick += step;
                tally.add(tick);
                all.push(tick);
                let expected = all.iter().filter(|at| **at + BUCKETS > tick).count();
                prop_assert_eq!(tally.sum(tick), expected as u64);
            }
        }
    }

    #[test]
    fn threads_lose_nothing() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for tick in 0..8 {
                        (0..1_000).for_each(|_| tally.add(tick));
                    }
                });
            }
        });
        assert_eq!(tally.sum(8), 4 * 8 * 1_000);
    }
}
