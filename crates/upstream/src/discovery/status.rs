//! What people are shown of a source.

use std::time::SystemTime;

/// How a service's source does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// What it is: `consul orders at http://127.0.0.1:8500`. Holds no secret.
    pub source: String,
    /// When it last answered well.
    pub last_success: Option<SystemTime>,
    /// Why it does not do so now: from then on what is used may be stale.
    pub failing: Option<SourceError>,
    /// What it says and is not followed in: entries that can't be used, or an empty set.
    pub notes: Vec<String>,
    /// Endpoints that it listed in its last good answer.
    pub endpoints: Option<usize>,
}

/// A source that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// Why, last.
    pub error: String,
    /// Since when.
    pub since: SystemTime,
}
