//! What a run of load saw.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Figures of the measured window.
#[derive(Debug)]
pub(crate) struct Report {
    /// Answers that were complete and right.
    pub(crate) completed: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// Requests that got a wrong answer or none.
    pub(crate) errors: u64,
    /// Requests that met a kept connection which closed without a byte of answer, and were sent again on a new one, as
    /// RFC 9110 section 9.2.2 lets a client do. Not errors: closing an idle connection is the server's right.
    pub(crate) retried: u64,
    /// Connections opened.
    pub(crate) connects: u64,
    /// TLS handshakes that resumed an earlier session.
    pub(crate) resumed: u64,
    /// Text of the first error.
    pub(crate) first_error: Option<String>,
}

impl Report {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            completed: 0,
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_bounds(1, 120_000_000_000, 3)?,
            errors: 0,
            retried: 0,
            connects: 0,
            resumed: 0,
            first_error: None,
        })
    }

    /// Forgets what warming up counted, except errors: a proxy that fails while it warms up is not well either.
    pub(super) fn restart(&mut self) {
        self.completed = 0;
        self.latency.reset();
        self.retried = 0;
        self.connects = 0;
        self.resumed = 0;
    }

    pub(super) fn record(&mut self, latency: Duration) {
        self.latency
            .saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn error(&mut self, text: &dyn std::fmt::Display) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| text.to_string());
    }

    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.completed as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Latency at a quantile in microseconds.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }
}
