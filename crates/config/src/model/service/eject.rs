use lintel_kernel::{Duration, Share, config};
use serde::Serialize;

/// When an endpoint is left out for a while because of what requests to it meet with. Counted by
/// this replica, over all its workers.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Eject {
    /// Tries in a row without an answer: no connection, reset, timeout, not HTTP. Or answers in a row
    /// whose bodies broke off or stood still for longer than `timeout.idle`. 0 for never.
    pub consecutive_failures: u32,

    /// Tries in a row without an answer or with 502, 503 or 504. 0 for never.
    pub consecutive_gateway_errors: u32,

    /// Tries in a row without an answer or with any 5xx. 0 for never: a 500 may well be the
    /// application's answer to one kind of request.
    pub consecutive_5xx: u32,

    /// Endpoints that fail far more often than the others. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<SuccessRate>,

    /// Endpoints that are far slower than the others. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyOutlier>,

    /// How often `success_rate` and `latency` are looked at. After each such time without an
    /// ejection, one past ejection is forgotten.
    pub interval: Duration,

    /// How long the first ejection lasts; the second twice as long, the third three times, and so
    /// on.
    #[serde(rename = "for")]
    pub base: Duration,

    /// The longest ejection.
    pub max_for: Duration,

    /// The largest share of the endpoints that are out at a time. One may always be, unless it is
    /// the only one.
    pub max_ejected: Share,

    /// Good answers in a row after an ejection until the endpoint gets its full part again. Until
    /// then each worker sends it one request at a time, and one failure ejects it again.
    pub trial: u32,
}

/// Ejects endpoints whose share of good answers in an interval is far below the mean of all.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct SuccessRate {
    /// How many standard deviations below the mean.
    #[schemars(range(min = 1, max = 10))]
    pub deviations: u32,
    /// Endpoints with enough requests that there must be.
    #[schemars(range(min = 2))]
    pub min_endpoints: u32,
    /// Requests that an endpoint must have had in the interval.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
}

/// Ejects endpoints whose mean latency in an interval is far above the median of all.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct LatencyOutlier {
    /// How many times the median.
    #[schemars(range(min = 2, max = 1000))]
    pub times: u32,
    /// An endpoint that is faster than this is never slow.
    pub at_least: Duration,
    /// Endpoints with enough requests that there must be.
    #[schemars(range(min = 2))]
    pub min_endpoints: u32,
    /// Requests that an endpoint must have had in the interval.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
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
            max_for: Duration::from_secs(300),
            max_ejected: Share::percent(50),
            trial: 3,
        }
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self {
            deviations: 2,
            min_endpoints: 5,
            min_requests: 100,
        }
    }
}

impl Default for LatencyOutlier {
    fn default() -> Self {
        Self {
            times: 3,
            at_least: Duration::from_millis(50),
            min_endpoints: 3,
            min_requests: 100,
        }
    }
}
