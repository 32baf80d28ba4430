use lintel_kernel::{Duration, Share, config};
use serde::Serialize;

/// When a service counts as full or as failing. Requests beyond are refused at once with 503 and
/// `Retry-After`. Counted by each replica.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Breaker {
    /// Connections open at a time to all its endpoints.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// Requests that may wait for a connection.
    pub pending: u32,
    /// Requests under way at a time, from their arrival to the last byte of the answer. Default: no
    /// limit but that of the connections.
    #[schemars(range(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// Tries after the first under way at a time. Default: no limit but the retry budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// A limit of requests that finds itself: it goes down when answers take longer than usual, and
    /// up again slowly (the gradient algorithm of Netflix's concurrency-limits).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveLimit>,
    /// The breaker opens when this share of the tries fails: no connection, a broken one, no answer
    /// in time, or a status of 500 or above. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Share>,
    /// The breaker opens when too many answers are too slow. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowAnswers>,
    /// Which tries are looked at: those of the last so long.
    pub window: Duration,
    /// With fewer tries than this in the window the breaker does not open.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// How long it stays open. Twice as long each time that it opens again without having closed,
    /// up to 16 times.
    pub open_for: Duration,
    /// Requests that are let through then; it closes once all of them were answered well.
    #[schemars(range(min = 1, max = 1000))]
    pub probes: u32,
}

/// When the services of a route count as failing, by the requests of this route alone. They are
/// refused at once with 503 and `Retry-After`, and those of other routes are not. Counted by each
/// replica.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct RouteBreaker {
    /// Tries after the first under way at a time. Default: no limit but those of the service and
    /// the retry budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// A limit of requests that finds itself, below `max_concurrent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveLimit>,
    /// The breaker opens when this share of the tries fails: no connection, a broken one, no answer
    /// in time, or a status of 500 or above. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Share>,
    /// The breaker opens when too many answers are too slow. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowAnswers>,
    /// Which tries are looked at: those of the last so long.
    pub window: Duration,
    /// With fewer tries than this in the window the breaker does not open.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// How long it stays open. Twice as long each time that it opens again without having closed,
    /// up to 16 times.
    pub open_for: Duration,
    /// Requests that are let through then; it closes once all of them were answered well.
    #[schemars(range(min = 1, max = 1000))]
    pub probes: u32,
}

impl Breaker {
    /// What a route may have as well.
    pub fn watch(&self) -> RouteBreaker {
        RouteBreaker {
            retries: self.retries,
            adaptive: self.adaptive.clone(),
            errors: self.errors,
            slow: self.slow.clone(),
            window: self.window,
            min_requests: self.min_requests,
            open_for: self.open_for,
            probes: self.probes,
        }
    }
}

impl Default for RouteBreaker {
    fn default() -> Self {
        Breaker::default().watch()
    }
}

/// A limit of requests that finds itself.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct AdaptiveLimit {
    /// Where it begins.
    #[schemars(range(min = 1))]
    pub initial: u32,
    /// It never goes below this.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// It never goes above this.
    #[schemars(range(min = 1))]
    pub max: u32,
}

impl Default for AdaptiveLimit {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 4,
            max: 1_000,
        }
    }
}

/// When too many answers are too slow.
#[config]
#[derive(PartialEq, Serialize)]
pub struct SlowAnswers {
    /// An answer is slow whose head takes longer than this.
    pub over: Duration,
    /// The share of slow answers at which the breaker opens.
    #[serde(default = "most")]
    pub share: Share,
}

const fn most() -> Share {
    Share::percent(80)
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            connections: 1_024,
            pending: 1_024,
            requests: None,
            retries: None,
            adaptive: None,
            errors: None,
            slow: None,
            window: Duration::from_secs(10),
            min_requests: 20,
            open_for: Duration::from_secs(5),
            probes: 3,
        }
    }
}
