//! What became of requests, for the metrics.

use lintel_telemetry::metrics::{PolicyCounter, family::EXT_AUTHZ_REQUESTS};

/// A counter for each outcome.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) allowed: PolicyCounter,
    pub(super) denied: PolicyCounter,
    pub(super) cached_allowed: PolicyCounter,
    pub(super) cached_denied: PolicyCounter,
    pub(super) error: PolicyCounter,
    pub(super) timeout: PolicyCounter,
    pub(super) body_too_large: PolicyCounter,
}

impl Counted {
    pub(super) fn new(route: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&EXT_AUTHZ_REQUESTS, &[route, word]);
        Self {
            allowed: outcome("allowed"),
            denied: outcome("denied"),
            cached_allowed: outcome("cached_allowed"),
            cached_denied: outcome("cached_denied"),
            error: outcome("error"),
            timeout: outcome("timeout"),
            body_too_large: outcome("body_too_large"),
        }
    }
}
