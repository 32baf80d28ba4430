//! What became of tokens, for the metrics.

use lintel_telemetry::metrics::{PolicyCounter, family::INTROSPECTION_REQUESTS};

use super::answer::Known;

/// A counter for each outcome.
#[derive(Debug)]
pub(super) struct Counted {
    active: PolicyCounter,
    inactive: PolicyCounter,
    cached_active: PolicyCounter,
    cached_inactive: PolicyCounter,
    error: PolicyCounter,
    timeout: PolicyCounter,
}

impl Counted {
    pub(super) fn new(route: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&INTROSPECTION_REQUESTS, &[route, word]);
        Self {
            active: outcome("active"),
            inactive: outcome("inactive"),
            cached_active: outcome("cached_active"),
            cached_inactive: outcome("cached_inactive"),
            error: outcome("error"),
            timeout: outcome("timeout"),
        }
    }

    pub(super) fn known(&self, known: &Known) {
        match known {
            Known::Active(_) => self.cached_active.inc(),
            Known::Refused(_) => self.cached_inactive.inc(),
        }
    }

    pub(super) fn asked(&self, known: &Known) {
        match known {
            Known::Active(_) => self.active.inc(),
            Known::Refused(_) => self.inactive.inc(),
        }
    }

    pub(super) fn unanswered(&self, timeout: bool) {
        match timeout {
            true => self.timeout.inc(),
            false => self.error.inc(),
        }
    }
}
