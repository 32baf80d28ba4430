//! What requests tell about an endpoint: failures in a row.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{rules::Eject, story::Reason};

/// What a try says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered, and not with 5xx.
    Good,
    /// It answered with 5xx other than those of a gateway.
    ServerError,
    /// It answered 502, 503 or 504.
    GatewayError,
    /// It did not answer: not connected, reset, timed out, not HTTP.
    Failure,
}

/// Tries in a row, over all workers. Good answers, the usual case, only read.
#[derive(Default)]
pub(crate) struct Runs {
    failures: AtomicU32,
    gateway_errors: AtomicU32,
    server_errors: AtomicU32,
    /// Answers in a row whose bodies broke off, whatever their heads said.
    broken: AtomicU32,
}

impl Verdict {
    /// What a status says.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            502..=504 => Self::GatewayError,
            500.. => Self::ServerError,
            _ => Self::Good,
        }
    }

    /// What the outcome of a gRPC call says, as the HTTP status that it maps to (gRPC's
    /// `http-grpc-status-mapping.md`, backwards).
    pub(crate) const fn of_grpc(code: u8) -> Self {
        match code {
            4 | 14 => Self::GatewayError,
            2 | 13 | 15 => Self::ServerError,
            _ => Self::Good,
        }
    }
}

impl Runs {
    /// Counts a try.
    pub(crate) fn count(&self, verdict: Verdict) {
        let [failed, gateway, server] = match verdict {
            Verdict::Good => [false, false, false],
            Verdict::ServerError => [false, false, true],
            Verdict::GatewayError => [false, true, true],
            Verdict::Failure => [true, true, true],
        };
        go_on(&self.failures, failed);
        go_on(&self.gateway_errors, gateway);
        go_on(&self.server_errors, server);
    }

    /// Counts an answer whose body broke off. How many there have been in a row.
    pub(crate) fn broke_off(&self) -> u32 {
        self.broken.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// An answer was whole.
    pub(crate) fn answered_wholly(&self) {
        end(&self.broken);
    }

    /// Whether nobody answered the last try.
    pub(crate) fn has_failed(&self) -> bool {
        self.failures.load(Relaxed) != 0
    }

    /// A reason where a run is longer than it may be.
    pub(crate) fn too_many(&self, rules: &Eject) -> Option<Reason> {
        let over = |run: &AtomicU32, limit: u32| {
            let count = run.load(Relaxed);
            (limit > 0 && count >= limit).then_some(count)
        };
        over(&self.failures, rules.consecutive_failures)
            .map(Reason::Failures)
            .or_else(|| {
                over(&self.gateway_errors, rules.consecutive_gateway_errors)
                    .map(Reason::GatewayErrors)
            })
            .or_else(|| over(&self.server_errors, rules.consecutive_5xx).map(Reason::ServerErrors))
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        end(&self.failures);
        end(&self.gateway_errors);
        end(&self.server_errors);
        end(&self.broken);
    }
}

/// A run becomes longer, or ends.
fn go_on(run: &AtomicU32, more: bool) {
    if more {
        run.fetch_add(1, Relaxed);
    } else {
        end(run);
    }
}

fn end(run: &AtomicU32) {
    if run.load(Relaxed) != 0 {
        run.store(0, Relaxed);
    }
}
