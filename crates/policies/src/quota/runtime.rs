//! One quota, ready to be asked.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    sync::Arc,
};

use lintel_kernel::{Allotment, Exchange};
use lintel_state::ledger::{Account, Book, Change, Period};
use lintel_telemetry::metrics::{
    PolicyCounter,
    family::{QUOTA_OVERFLOW, QUOTA_REQUESTS, QUOTA_THRESHOLDS},
};

use super::{period::Calendar, shared::Shared};
use crate::per::{Price, Selector};

/// A quota: whom it counts, how much each of them has, and what happens beyond.
pub struct Quota {
    pub(super) name: Box<str>,
    /// Where it is written.
    pub(super) scope: Box<str>,
    /// Where and what, as the admin API calls it.
    pub(super) id: Box<str>,
    pub(super) allotment: Allotment,
    pub(super) calendar: Calendar,
    pub(super) zone: Box<str>,
    pub(super) selector: Selector,
    pub(super) cost: Price,
    /// What is admitted in all: the quota itself, or more where it may be overdrawn.
    pub(super) most: u64,
    pub(super) soft: Vec<Threshold>,
    pub(super) dry_run: bool,
    pub(super) headers: bool,
    /// Where all replicas count it, if they do so together.
    pub(super) shared: Option<Shared>,
    pub(super) book: Arc<Book<1>>,
    pub(super) counted: Counted,
}

/// A soft threshold.
pub(super) struct Threshold {
    /// As it is written, such as `80%`.
    pub(super) shown: Box<str>,
    /// From which count on it is crossed.
    pub(super) from: u64,
    pub(super) crossed: PolicyCounter,
}

/// What became of requests.
pub(super) struct Counted {
    pub(super) admitted: PolicyCounter,
    pub(super) over: PolicyCounter,
    pub(super) refused: PolicyCounter,
    pub(super) dry_run: PolicyCounter,
    overflow: PolicyCounter,
}

/// Longest values that name an account.
const LONGEST: usize = 200;

impl Quota {
    /// What the admin API calls it: where it is written, and its name.
    pub const fn id(&self) -> &str {
        &self.id
    }

    /// How much there is, and of when.
    pub const fn allotment(&self) -> Allotment {
        self.allotment
    }

    /// The time zone whose calendar it goes by.
    pub const fn time_zone(&self) -> &str {
        &self.zone
    }

    /// The store in which it is counted, if it is.
    pub fn store(&self) -> Option<&str> {
        self.shared.as_ref().map(|shared| &**shared.store.name())
    }

    /// The period of a time in seconds since 1970.
    pub fn period(&self, now: u64) -> Period {
        self.calendar.period(now)
    }

    /// What everybody has used in the period of a time, by key.
    pub fn entries(&self, now: u64) -> Vec<(String, u64)> {
        let (period, prefix) = (self.period(now), self.prefix());
        let accounts = self.book.ledger().accounts();
        let own = accounts.filter_map(|account| {
            let key = account.name().strip_prefix(&*prefix)?.to_owned();
            Some((key, account.value(0, period)))
        });
        let mut own: Vec<_> = own.collect();
        own.sort_unstable();
        own
    }

    /// What the names of its accounts begin with. Another calendar is another account.
    pub(super) fn prefix(&self) -> String {
        let per = self.allotment.per.name();
        format!("{}\n{per} {}\n", self.id, self.zone)
    }

    /// The account of whoever sends a request.
    pub(super) fn account(&self, exchange: &Exchange) -> Arc<Account<1>> {
        thread_local! {
            static NAME: RefCell<String> = const { RefCell::new(String::new()) };
        }
        NAME.with_borrow_mut(|name| {
            name.clear();
            let per = self.allotment.per.name();
            // Writing to a String can't fail.
            let _ = write!(name, "{}\n{per} {}\n", self.id, self.zone);
            self.selector.name(exchange, LONGEST, name);
            let ledger = self.book.ledger();
            let account = ledger.account(name);
            if ledger.is_overflow(&account) {
                self.counted.overflow.inc();
            }
            account
        })
    }

    /// Whom a request counts for, as a store that replicas share knows it.
    pub(super) fn shared_key(&self, prefix: &str, exchange: &Exchange, period: Period) -> String {
        let end = self.shared_end(period);
        let selector = &self.selector;
        selector.store_key(prefix, &self.id, &end, LONGEST, exchange)
    }

    /// The same for whom the admin API calls by a name.
    pub(super) fn shared_key_of(&self, prefix: &str, name: &str, period: Period) -> String {
        let end = self.shared_end(period);
        let selector = &self.selector;
        selector.store_key_of(prefix, &self.id, &end, LONGEST, name)
    }

    fn shared_end(&self, period: Period) -> String {
        format!("quota:{}:{}", self.id, period.start)
    }

    /// A request was counted.
    pub(super) fn note(&self, change: Change, exchange: &Exchange) {
        if change.after <= self.allotment.count {
            self.counted.admitted.inc();
        } else if self.dry_run {
            self.counted.dry_run.inc();
        } else {
            self.counted.over.inc();
        }
        for soft in &self.soft {
            // Exactly one request crosses it: counts go up by one change at a time.
            if change.before < soft.from && soft.from <= change.after {
                soft.crossed.inc();
                tracing::info!(
                    quota = &*self.id,
                    key = self.selector.readable(exchange),
                    threshold = &*soft.shown,
                    used = change.after,
                    of = self.allotment.count,
                    "a quota is used up to its threshold"
                );
            }
        }
    }
}

impl Threshold {
    pub(super) fn new(scope: &str, name: &str, share: lintel_kernel::Share, count: u64) -> Self {
        let shown = share.to_string();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count that a double holds well enough"
        )]
        let from = (count as f64 * share.fraction()).ceil() as u64;
        Self {
            crossed: PolicyCounter::new(&QUOTA_THRESHOLDS, &[scope, name, &shown]),
            shown: shown.into(),
            from: from.max(1),
        }
    }
}

impl Counted {
    pub(super) fn new(scope: &str, name: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&QUOTA_REQUESTS, &[scope, name, word]);
        Self {
            admitted: outcome("admitted"),
            over: outcome("over"),
            refused: outcome("refused"),
            dry_run: outcome("dry_run"),
            overflow: PolicyCounter::new(&QUOTA_OVERFLOW, &[]),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, ", self.name, self.allotment)?;
        if &*self.zone != "UTC" {
            write!(f, "by the calendar of {}, ", self.zone)?;
        }
        match self.most {
            u64::MAX if !self.dry_run => f.write_str("may be overdrawn, ")?,
            most if most != self.allotment.count && !self.dry_run => {
                write!(f, "may be overdrawn up to {most}, ")?;
            }
            _ => {}
        }
        if let Some(store) = self.store() {
            write!(f, "counted in store {store}, ")?;
        }
        if self.dry_run {
            f.write_str("dry run, ")?;
        }
        write!(f, "from {})", self.scope)
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
