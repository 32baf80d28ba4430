use std::time::Duration;

use http::StatusCode;
use lintel_kernel::{
    Faults, Flow, GrpcCode, Rejection,
    expr::{Expr, Scope},
};

/// Which faults hit which requests.
pub(super) struct Drill {
    pub(super) when: Option<Expr>,
    pub(super) delay: Option<Delay>,
    pub(super) abort: Option<Abort>,
    /// Bytes a second, and the share of requests.
    pub(super) bandwidth: Option<(u64, f64)>,
    /// Bytes that come through, and the share of requests.
    pub(super) reset: Option<(u64, f64)>,
}

pub(super) struct Delay {
    pub(super) least: Duration,
    pub(super) most: Duration,
    pub(super) share: f64,
}

pub(super) struct Abort {
    pub(super) status: StatusCode,
    pub(super) grpc: GrpcCode,
    pub(super) share: f64,
}

impl Drill {
    /// The faults of one request; `random` gives numbers from 0.0 up to but not 1.0.
    pub(super) fn draw(&self, scope: Scope<'_>, mut random: impl FnMut() -> f64) -> Faults {
        let mut faults = Faults::default();
        if self.when.as_ref().is_some_and(|when| !when.holds(scope)) {
            return faults;
        }
        let shares = [
            (Faults::DELAY, self.delay.as_ref().map(|delay| delay.share)),
            (Faults::ABORT, self.abort.as_ref().map(|abort| abort.share)),
            (Faults::BANDWIDTH, self.bandwidth.map(|(_, share)| share)),
            (Faults::RESET, self.reset.map(|(_, share)| share)),
        ];
        for (fault, share) in shares {
            if share.is_some_and(|share| random() < share) {
                faults.insert(fault);
            }
        }
        faults
    }

    /// How long one request waits, for a random number from 0.0 to 1.0.
    pub(super) fn delay(&self, random: f64) -> Duration {
        self.delay.as_ref().map_or(Duration::ZERO, |delay| {
            delay.least + delay.most.saturating_sub(delay.least).mul_f64(random)
        })
    }

    /// What becomes of a request once it has waited.
    pub(super) fn refuse<R>(&self, faults: Faults) -> Flow<R> {
        match &self.abort {
            Some(abort) if faults.contains(Faults::ABORT) => Flow::Refuse(
                Rejection::new(
                    "fault",
                    abort.status,
                    "fault_injected",
                    "This request was refused on purpose, to test how failures are handled.",
                )
                .with_grpc(abort.grpc),
            ),
            _ => Flow::Next,
        }
    }

    /// Bytes a second that the answer may have.
    pub(super) fn bandwidth(&self, faults: Faults) -> Option<u64> {
        let (rate, _) = self.bandwidth?;
        faults.contains(Faults::BANDWIDTH).then_some(rate)
    }

    /// After how many bytes the answer is broken off.
    pub(super) fn reset(&self, faults: Faults) -> Option<u64> {
        let (after, _) = self.reset?;
        faults.contains(Faults::RESET).then_some(after)
    }
}
