//! Messages that would repeat with every request.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Lets one message through in an interval and counts the others.
///
/// ```
/// use std::time::Duration;
/// use lintel_telemetry::log::OncePer;
///
/// static TIMEOUTS: OncePer = OncePer::new(Duration::from_secs(60));
/// if let Some(suppressed) = TIMEOUTS.pass() {
///     tracing::warn!(suppressed, "the store did not answer in time");
/// }
/// ```
pub struct OncePer {
    interval: Duration,
    /// Milliseconds on this module's clock from which the next message may pass; 0 for the first.
    next: AtomicU64,
    suppressed: AtomicU64,
}

impl OncePer {
    /// One message in `interval`.
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether to log now, and then how many were suppressed since the last time.
    pub fn pass(&self) -> Option<u64> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        self.pass_at(START.elapsed())
    }

    /// [`pass`](Self::pass) at a time since some fixed moment.
    pub fn pass_at(&self, now: Duration) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = millis(now);
        let next = self.next.load(Relaxed);
        let later = now.saturating_add(millis(self.interval)).max(1);
        // Of several threads that come at once, one passes.
        let passes = now >= next
            && self
                .next
                .compare_exchange(next, later, Relaxed, Relaxed)
                .is_ok();
        if passes {
            return Some(self.suppressed.swap(0, Relaxed));
        }
        self.suppressed.fetch_add(1, Relaxed);
        None
    }
}
