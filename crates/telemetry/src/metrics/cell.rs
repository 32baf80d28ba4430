//! Cells with one writer: a worker adds with a plain load and store, the scrape reads.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Finite buckets of a histogram; one more holds everything above.
pub const FINITE_BUCKETS: usize = 15;

/// A number that only grows.
///
/// `add` is for the one thread that owns the cell: two writers would lose counts (and nothing
/// worse). The handles that expose it are `!Send`.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn inc(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        // A read-modify-write would lock the cache line: 5 ns instead of none.
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// For cells with several writers, off the request path.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes both ways. Single-writer like [`Counter`].
#[derive(Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn add(&self, n: i64) {
        self.set(self.value().wrapping_add(n));
    }

    pub(crate) fn set(&self, value: i64) {
        self.0.store(value.cast_unsigned(), Relaxed);
    }

    pub(crate) fn value(&self) -> i64 {
        self.0.load(Relaxed).cast_signed()
    }
}

/// Upper bounds of a histogram's buckets.
pub struct Bounds {
    nanos: [u64; FINITE_BUCKETS],
    labels: [&'static str; FINITE_BUCKETS],
    /// First bucket that a value with so many significant bits can belong to.
    first: [u8; 65],
}

impl Bounds {
    /// From ascending bounds in nanoseconds with their `le` labels in seconds.
    pub const fn new(bounds: [(u64, &'static str); FINITE_BUCKETS]) -> Self {
        let mut nanos = [0; FINITE_BUCKETS];
        let mut labels = [""; FINITE_BUCKETS];
        let mut rest: &[(u64, &'static str)] = &bounds;
        let mut to_nanos: &mut [u64] = &mut nanos;
        let mut to_labels: &mut [&'static str] = &mut labels;
        while let (
            [(bound, label), more @ ..],
            [nanos, more_nanos @ ..],
            [text, more_labels @ ..],
        ) = (rest, to_nanos, to_labels)
        {
            *nanos = *bound;
            *text = *label;
            (rest, to_nanos, to_labels) = (more, more_nanos, more_labels);
        }
        Self {
            nanos,
            labels,
            first: first_buckets(&nanos),
        }
    }

    /// Index of the bucket of a value: the first whose bound is not below it.
    fn bucket(&self, nanos: u64) -> usize {
        let bits = (u64::BITS - nanos.leading_zeros()) as usize;
        let mut bucket = usize::from(self.first.get(bits).copied().unwrap_or(0));
        while self.nanos.get(bucket).is_some_and(|bound| *bound < nanos) {
            bucket += 1;
        }
        bucket
    }

    /// The `le` labels, ascending, without `+Inf`.
    pub fn labels(&self) -> &[&'static str] {
        &self.labels
    }

    #[cfg(test)]
    pub(crate) fn nanos(&self) -> &[u64] {
        &self.nanos
    }
}

/// For each bit length, the first bucket that holds the smallest value of that length.
const fn first_buckets(nanos: &[u64; FINITE_BUCKETS]) -> [u8; 65] {
    let mut first = [0; 65];
    let mut slots: &mut [u8] = &mut first;
    let mut smallest: u128 = 0;
    while let [slot, more @ ..] = slots {
        let mut bounds: &[u64] = nanos;
        while let [bound, rest @ ..] = bounds {
            if (*bound as u128) >= smallest {
                break;
            }
            *slot += 1;
            bounds = rest;
        }
        smallest = if smallest == 0 { 1 } else { smallest << 1 };
        slots = more;
    }
    first
}

/// Times sorted into buckets.
pub(crate) struct Histogram {
    pub(crate) bounds: &'static Bounds,
    buckets: [Counter; FINITE_BUCKETS + 1],
    /// Wraps after 584 years of summed time, which Prometheus reads as a counter reset.
    nanos: Counter,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static Bounds) -> Self {
        Self {
            bounds,
            buckets: Default::default(),
            nanos: Counter::default(),
        }
    }

    pub(crate) fn record(&self, time: Duration) {
        let nanos = time
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(time.subsec_nanos()));
        if let Some(bucket) = self.buckets.get(self.bounds.bucket(nanos)) {
            bucket.inc();
        }
        self.nanos.add(nanos);
    }
}

/// The sum of the same histogram over all workers.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) buckets: [u64; FINITE_BUCKETS + 1],
    pub(crate) nanos: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (total, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *total = total.wrapping_add(bucket.value());
        }
        self.nanos = self.nanos.wrapping_add(histogram.nanos.value());
    }
}
