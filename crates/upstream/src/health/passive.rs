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
    /// Counts a try. A reason where it is one too many.
    pub(crate) fn count(&self, verdict: Verdict, rules: &Eject) -> Option<Reason> {
        let (failures, gateway, server) = match verdict {
            Verdict::Good => (0, 0, 0),
            Verdict::ServerError => (0, 0, more(&self.server_errors)),
            Verdict::GatewayError => (0, more(&self.gateway_errors), more(&self.server_errors)),
            Verdict::Failure => (
                more(&self.failures),
                more(&self.gateway_errors),
                more(&self.server_errors),
            ),
        };
        if failures == 0 {
            end(&self.failures);
        }
        if gateway == 0 {
            end(&self.gateway_errors);
        }
        if server == 0 {
            end(&self.server_errors);
        }
        let over = |count: u32, limit: u32| limit > 0 && count >= limit;
        if over(failures, rules.consecutive_failures) {
            Some(Reason::Failures(failures))
        } else if over(gateway, rules.consecutive_gateway_errors) {
            Some(Reason::GatewayErrors(gateway))
        } else if over(server, rules.consecutive_5xx) {
            Some(Reason::ServerErrors(server))
        } else {
            None
        }
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        end(&self.failures);
        end(&self.gateway_errors);
        end(&self.server_errors);
    }
}

fn more(run: &AtomicU32) -> u32 {
    run.fetch_add(1, Relaxed).saturating_add(1)
}

fn end(run: &AtomicU32) {
    if run.load(Relaxed) != 0 {
        run.store(0, Relaxed);
    }
}
