//! One limit, ready to be asked.

use std::{fmt, time::Duration};

use lintel_kernel::Exchange;
use lintel_state::{
    in_flight::{Bounds, InFlight},
    limit::Key,
};
use lintel_telemetry::metrics::{
    PolicyCounter, PolicyGauge,
    family::{
        CONCURRENCY_IN_FLIGHT, CONCURRENCY_QUEUED, CONCURRENCY_REQUESTS, CONCURRENCY_UNCOUNTED,
    },
};

use crate::per::Selector;

/// A limit: whom it counts, how many of them at once, and how long others wait.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) name: Box<str>,
    /// Where it is written.
    pub(super) scope: Box<str>,
    /// Tells it from all other limits, through reloads.
    pub(super) id: u64,
    pub(super) selector: Selector,
    pub(super) bounds: Bounds,
    /// How long a request waits for a place.
    pub(super) patience: Duration,
    pub(super) dry_run: bool,
    pub(super) counted: Counted,
}

/// What became of requests, and what is under way.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) admitted: PolicyCounter,
    pub(super) queued: PolicyCounter,
    pub(super) refused: PolicyCounter,
    pub(super) timeout: PolicyCounter,
    pub(super) dry_run: PolicyCounter,
    pub(super) uncounted: PolicyCounter,
    pub(super) in_flight: PolicyGauge,
    waiting: PolicyGauge,
}

/// Counts one that waits, until it is dropped.
pub(super) struct Waiting<'a>(&'a PolicyGauge);

impl Limit {
    /// Whom a request counts for.
    pub(super) fn key(&self, table: &InFlight, exchange: &Exchange) -> Key {
        let key = table.key().number(self.id);
        self.selector.key(key, exchange).finish()
    }
}

impl Counted {
    pub(super) fn new(scope: &str, limit: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&CONCURRENCY_REQUESTS, &[scope, limit, word]);
        Self {
            admitted: outcome("admitted"),
            queued: outcome("queued"),
            refused: outcome("refused"),
            timeout: outcome("timeout"),
            dry_run: outcome("dry_run"),
            uncounted: PolicyCounter::new(&CONCURRENCY_UNCOUNTED, &[]),
            in_flight: PolicyGauge::new(&CONCURRENCY_IN_FLIGHT, &[scope, limit]),
            waiting: PolicyGauge::new(&CONCURRENCY_QUEUED, &[scope, limit]),
        }
    }

    /// Somebody waits from now on.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.add(1);
        Waiting(&self.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { max, queue } = self.bounds;
        write!(f, "{} ({max} at once, ", self.name)?;
        if queue > 0 {
            write!(f, "{queue} more wait up to {:?}, ", self.patience)?;
        }
        if self.dry_run {
            f.write_str("dry run, ")?;
        }
        write!(f, "from {})", self.scope)
    }
}
