//! A moving average of latency that rises at once and falls slowly.

use std::time::Duration;

/// How long an answer counts: after this time its part has fallen to 1/e (Finagle's default).
pub const DECAY: Duration = Duration::from_secs(10);

/// Seconds that answers take.
///
/// A slower answer than expected counts in full (the *peak*), a faster one by the time since the
/// last: `new = old * w + latency * (1 - w)` with `w = exp(-elapsed / DECAY)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeakEwma {
    /// The average, in seconds; 0 where nothing is known.
    pub seconds: f64,
}

impl PeakEwma {
    /// With one more answer, `elapsed` after the last.
    #[must_use]
    pub fn observe(self, latency: Duration, elapsed: Duration) -> Self {
        let latency = latency.as_secs_f64();
        let seconds = if latency > self.seconds {
            latency
        } else {
            let kept = keep(elapsed);
            self.seconds.mul_add(kept, latency * (1.0 - kept))
        };
        Self { seconds }
    }

    /// What it has decayed to `elapsed` after the last answer, so that an endpoint that was slow
    /// once is tried again.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> f64 {
        let seconds = self.seconds * keep(elapsed);
        // Less than a microsecond is as good as not known.
        if seconds < 1e-6 { 0.0 } else { seconds }
    }
}

fn keep(elapsed: Duration) -> f64 {
    (-elapsed.as_secs_f64() / DECAY.as_secs_f64()).exp()
}
