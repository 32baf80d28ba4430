//! A limit of concurrency that follows the latency of the service: Gradient2 of Netflix's
//! concurrency-limits (2018). Where answers take longer than they usually do, requests are queueing
//! somewhere, and the limit goes down; where they don't, it goes up slowly.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// How the limit moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveSpec {
    /// Where it begins.
    pub initial: u32,
    /// It never goes below this.
    pub min: u32,
    /// It never goes above this.
    pub max: u32,
    /// How much longer than usual answers may take before the limit goes down; 1.5 for half again
    /// as long.
    pub tolerance: f64,
}

impl Default for AdaptiveSpec {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 4,
            max: 1_000,
            tolerance: 1.5,
        }
    }
}

/// Answers are averaged over at least this long before the limit moves.
const WINDOW: Duration = Duration::from_millis(100);

/// With fewer answers than this the window goes on.
const FEWEST: u64 = 10;

/// Windows over which the usual latency is averaged (`longWindow` there).
const LONG: f64 = 600.0;

/// How much more slowly the usual latency rises while the limit is reached: the queues may be of the
/// gateway's own making, and taken for usual they would let the limit grow without end. In the
/// original, which has no such thing, it doubles about every 40 seconds then.
const RELUCTANCE: f64 = 10.0;

/// Up to this limit the queues are not of the gateway's making.
const CERTAIN: f64 = 16.0;

/// How much of a new limit is taken over at once (`smoothing` there).
const SMOOTHING: f64 = 0.2;

/// Room that the limit leaves for short queues: what lets it grow (`queueSize` there).
const QUEUE: f64 = 4.0;

/// One service's limit, over all workers.
///
/// Workers add to the current window; the one that finds it over moves the limit. None waits for
/// another.
pub(crate) struct Gradient {
    since: Instant,
    /// The limit, as the bits of a float.
    limit: AtomicU64,
    /// The usual latency in nanoseconds, as the bits of a float; 0 before the first window.
    long: AtomicU64,
    sum: AtomicU64,
    count: AtomicU64,
    /// The most requests under way in the window.
    busiest: AtomicU32,
    /// When the window is over, in milliseconds.
    due: AtomicU64,
}

impl Gradient {
    pub(crate) fn new(spec: &AdaptiveSpec) -> Self {
        Self {
            since: Instant::now(),
            limit: AtomicU64::new(f64::from(spec.initial).to_bits()),
            long: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            count: AtomicU64::new(0),
            busiest: AtomicU32::new(0),
            due: AtomicU64::new(0),
        }
    }

    /// Requests that may be under way.
    pub(crate) fn limit(&self, spec: &AdaptiveSpec) -> u32 {
        let limit = f64::from_bits(self.limit.load(Ordering::Relaxed));
        (limit as u32).clamp(spec.min, spec.max)
    }

    /// An answer that took so long, with so many requests under way.
    pub(crate) fn sample(&self, spec: &AdaptiveSpec, took: Duration, under_way: u32, now: Instant) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX >> 16);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
        self.busiest.fetch_max(under_way, Ordering::Relaxed);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let time = self.millis(now);
        let due = self.due.load(Ordering::Relaxed);
        if count < FEWEST || time < due {
            return;
        }
        let next = time + u64::try_from(WINDOW.as_millis()).unwrap_or(u64::MAX);
        if self
            .due
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            self.end_window(spec);
        }
    }

    fn end_window(&self, spec: &AdaptiveSpec) {
        let sum = self.sum.swap(0, Ordering::Relaxed);
        let count = self.count.swap(0, Ordering::Relaxed).max(1);
        let busiest = self.busiest.swap(0, Ordering::Relaxed);
        let short = sum as f64 / count as f64;
        let limit = f64::from_bits(self.limit.load(Ordering::Relaxed));
        let crowded = f64::from(busiest) >= 0.9 * limit && limit > CERTAIN;
        let long = self.usual(short, crowded);
        // A limit that is not reached says nothing about whether it is right.
        if f64::from(busiest) < limit / 2.0 {
            return;
        }
        let gradient = (spec.tolerance * long / short.max(1.0)).clamp(0.5, 1.0);
        let wanted = limit * gradient + QUEUE;
        let moved = limit * (1.0 - SMOOTHING) + wanted * SMOOTHING;
        let moved = moved.clamp(f64::from(spec.min), f64::from(spec.max));
        self.limit.store(moved.to_bits(), Ordering::Relaxed);
    }

    /// The usual latency, with this window's taken in.
    fn usual(&self, short: f64, crowded: bool) -> f64 {
        let known = f64::from_bits(self.long.load(Ordering::Relaxed));
        let mut long = if known == 0.0 {
            short
        } else {
            let windows = if crowded && short > known {
                LONG * RELUCTANCE
            } else {
                LONG
            };
            known + (short - known) * 2.0 / (windows + 1.0)
        };
        // After a long time of overload the average has forgotten how fast the service is.
        if long > 2.0 * short {
            long *= 0.95;
        }
        self.long.store(long.to_bits(), Ordering::Relaxed);
        long
    }

    fn millis(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.since).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: AdaptiveSpec = AdaptiveSpec {
        initial: 20,
        min: 4,
        max: 200,
        tolerance: 1.5,
    };

    /// A service that works on `capacity` requests at once, each for 10 ms, and queues the rest;
    /// the gateway always sends as many as it may.
    fn run(gradient: &Gradient, capacity: u32, from: u64, windows: u64) {
        for window in from..from + windows {
            let now = gradient.since + Duration::from_millis(101 * window);
            let under_way = gradient.limit(&SPEC);
            let stretch = (f64::from(under_way) / f64::from(capacity)).max(1.0);
            for _ in 0..FEWEST {
                let took = Duration::from_millis(10).mul_f64(stretch);
                gradient.sample(&SPEC, took, under_way, now);
            }
        }
    }

    #[test]
    fn it_finds_what_the_service_can_do() {
        let gradient = Gradient::new(&SPEC);
        run(&gradient, 60, 0, 300);
        let limit = gradient.limit(&SPEC);
        // Up to the tolerance, and the room for short queues, above the capacity.
        assert!((60..=110).contains(&limit), "{limit}");
    }

    #[test]
    fn it_gives_way_and_comes_back() {
        let gradient = Gradient::new(&SPEC);
        run(&gradient, 60, 0, 300);
        let before = gradient.limit(&SPEC);
        run(&gradient, 10, 300, 60);
        let during = gradient.limit(&SPEC);
        assert!(during < before / 2, "{before} -> {during}");
        run(&gradient, 60, 360, 300);
        let after = gradient.limit(&SPEC);
        assert!(after >= 50, "{during} -> {after}");
    }

    #[test]
    fn it_stays_in_its_bounds() {
        let gradient = Gradient::new(&SPEC);
        run(&gradient, 100_000, 0, 1_000);
        assert_eq!(gradient.limit(&SPEC), SPEC.max);
        let gradient = Gradient::new(&SPEC);
        run(&gradient, 1_000, 0, 20);
        for window in 20..200 {
            let now = gradient.since + Duration::from_millis(101 * window);
            for _ in 0..FEWEST {
                gradient.sample(&SPEC, Duration::from_secs(60), 200, now);
            }
        }
        assert!(gradient.limit(&SPEC) >= SPEC.min);
    }

    #[test]
    fn without_load_it_stays_where_it_is() {
        let gradient = Gradient::new(&SPEC);
        for window in 0..100 {
            let now = gradient.since + Duration::from_millis(101 * window);
            for _ in 0..FEWEST {
                gradient.sample(&SPEC, Duration::from_millis(10), 1, now);
            }
        }
        assert_eq!(gradient.limit(&SPEC), SPEC.initial);
    }
}
