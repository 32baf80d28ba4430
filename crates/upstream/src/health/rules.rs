//! When endpoints are ejected, as the configuration says it.

use std::time::Duration;

/// When an endpoint is ejected for what its requests meet with.
#[derive(Clone, Debug, PartialEq)]
pub struct Eject {
    /// Tries in a row that got no answer at all: not connected, reset, timed out, not HTTP. 0 for
    /// never.
    pub consecutive_failures: u32,
    /// Tries in a row that got no answer, or 502, 503 or 504. 0 for never.
    pub consecutive_gateway_errors: u32,
    /// Tries in a row that got no answer, or any 5xx. 0 for never.
    pub consecutive_5xx: u32,
    /// Endpoints whose answers fail more often than the others'.
    pub success_rate: Option<SuccessRate>,
    /// Endpoints that are slower than the others.
    pub latency: Option<LatencyOutlier>,
    /// How often the last two are looked at, and how long an endpoint must behave for one of its
    /// ejections to be forgotten.
    pub interval: Duration,
    /// How long the first ejection lasts. The second lasts twice as long, and so on.
    pub base: Duration,
    /// How long an ejection lasts at most.
    pub max: Duration,
    /// The part of the endpoints that may be ejected at a time. One may always be, unless it is the
    /// only one.
    pub max_ejected: f64,
    /// Good answers in a row after an ejection until the endpoint is trusted again.
    pub trial: u32,
}

/// Ejects endpoints whose share of good answers is below `mean - factor * stdev` of all endpoints'
/// (Envoy's success rate outliers).
#[derive(Clone, Debug, PartialEq)]
pub struct SuccessRate {
    /// Standard deviations below the mean.
    pub factor: f64,
    /// Endpoints with enough requests that there must be.
    pub min_endpoints: usize,
    /// Requests in an interval that an endpoint must have had.
    pub min_requests: u64,
}

/// Ejects endpoints whose mean latency is above `factor` times the median of all endpoints' means.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyOutlier {
    /// How many times the median.
    pub factor: f64,
    /// Below this no endpoint counts as slow.
    pub at_least: Duration,
    /// Endpoints with enough requests that there must be.
    pub min_endpoints: usize,
    /// Requests in an interval that an endpoint must have had.
    pub min_requests: u64,
}

impl Default for Eject {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            consecutive_gateway_errors: 5,
            consecutive_5xx: 0,
            success_rate: None,
            latency: None,
            interval: Duration::from_secs(10),
            base: Duration::from_secs(10),
            max: Duration::from_secs(300),
            max_ejected: 0.5,
            trial: 3,
        }
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self {
            factor: 1.9,
            min_endpoints: 5,
            min_requests: 100,
        }
    }
}

impl Default for LatencyOutlier {
    fn default() -> Self {
        Self {
            factor: 3.0,
            at_least: Duration::from_millis(50),
            min_endpoints: 3,
            min_requests: 100,
        }
    }
}

impl Eject {
    /// How long an ejection lasts that follows so many others.
    pub fn duration(&self, before: u32) -> Duration {
        self.base
            .saturating_mul(before.saturating_add(1))
            .min(self.max.max(self.base))
    }

    /// How many of so many endpoints may be ejected at a time.
    pub fn allowance(&self, endpoints: usize) -> usize {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "numbers of endpoints"
        )]
        let share = (endpoints as f64 * self.max_ejected.clamp(0.0, 1.0)).floor() as usize;
        share.max(1).min(endpoints.saturating_sub(1))
    }
}
