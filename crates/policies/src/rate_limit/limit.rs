//! One limit, ready to be asked.

use std::{fmt, sync::Arc};

use lintel_kernel::{Exchange, Rate};
use lintel_state::{
    limit::{Key, Rule, Table},
    store::Replicas,
};
use lintel_telemetry::metrics::{
    PolicyCounter, PolicyGauge,
    family::{RATE_LIMIT_DISPLACED, RATE_LIMIT_KEYS, RATE_LIMIT_REQUESTS},
};

use super::{fields::Told, shared::Shared};
use crate::per::{Price, Selector};

/// Longest values that a key in a store shows.
const LONGEST: usize = 96;

/// A limit: whom it counts, how, and what it does.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(super) name: Box<str>,
    /// Where it is written.
    pub(super) scope: Box<str>,
    pub(super) rate: Rate,
    pub(super) rule: Rule,
    /// Tells it from all other limits, through reloads.
    pub(super) id: u64,
    pub(super) selector: Selector,
    pub(super) cost: Price,
    pub(super) dry_run: bool,
    /// How many replicas share it, where each counts a share by itself: always, or while the store
    /// does not answer.
    pub(super) replicas: Option<Arc<Replicas>>,
    /// Where all replicas count it, if they do so together.
    pub(super) shared: Option<Shared>,
    /// Where callers are told.
    pub(super) told: Option<Told>,
    pub(super) counted: Counted,
}

/// What became of requests.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) admitted: PolicyCounter,
    pub(super) refused: PolicyCounter,
    pub(super) dry_run: PolicyCounter,
    pub(super) keys: PolicyGauge,
    pub(super) displaced: PolicyCounter,
}

impl Limit {
    /// Whom a request counts for.
    pub(super) fn key(&self, table: &Table, exchange: &Exchange) -> Key {
        let key = table.key().number(self.id);
        self.selector.key(key, exchange).finish()
    }

    /// Whom a request counts for, as a store that replicas share knows it.
    pub(super) fn shared_key(&self, shared: &Shared, exchange: &Exchange) -> String {
        let (prefix, key) = (shared.store.prefix(), &shared.key);
        let selector = &self.selector;
        selector.store_key(prefix, &self.scope, key, LONGEST, exchange)
    }
}

impl Counted {
    pub(super) fn new(scope: &str, limit: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&RATE_LIMIT_REQUESTS, &[scope, limit, word]);
        Self {
            admitted: outcome("admitted"),
            refused: outcome("refused"),
            dry_run: outcome("dry_run"),
            keys: PolicyGauge::new(&RATE_LIMIT_KEYS, &[]),
            displaced: PolicyCounter::new(&RATE_LIMIT_DISPLACED, &[]),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name)?;
        let algorithm = match self.rule {
            Rule::TokenBucket(_) => "",
            Rule::SlidingWindow(_) => "sliding window, ",
            Rule::FixedWindow(_) => "fixed window, ",
        };
        write!(f, "{}, {algorithm}", self.rate)?;
        if self.rule.most() != self.rate.count {
            write!(f, "burst {}, ", self.rule.most())?;
        }
        if let Some(shared) = &self.shared {
            write!(f, "counted in store {}, ", shared.store.name())?;
            if let Some(lease) = &shared.lease {
                write!(f, "up to {} taken ahead of need, ", lease.size())?;
            }
        }
        if let (None, Some(replicas)) = (&self.shared, &self.replicas) {
            write!(
                f,
                "of {} replicas together, each its share, ",
                replicas.count()
            )?;
        }
        if self.dry_run {
            f.write_str("dry run, ")?;
        }
        write!(f, "from {})", self.scope)
    }
}
