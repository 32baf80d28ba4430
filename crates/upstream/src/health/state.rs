//! The health of one endpoint.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{
    moment::Moment,
    passive::{Runs, Verdict},
    rules::Eject,
    story::{Reason, Story, Transition, Turn},
};

/// Checks fail.
const FAILING: u8 = 1;
/// It has to be checked before it gets requests, and was not yet.
const UNCHECKED: u8 = 2;
/// It gets no requests for a while.
const EJECTED: u8 = 4;
/// It was ejected, and has yet to show that it is well again.
const ON_TRIAL: u8 = 8;

/// Shared by all workers: what they read and write on the way of a request are atomics. Outlives
/// reloads with its endpoint.
pub(crate) struct Health {
    flags: AtomicU8,
    runs: Runs,
    /// Good answers until the trial is over.
    trial: AtomicU32,
    /// Ejections that are not forgotten.
    ejections: AtomicU32,
    ejected_until: AtomicI64,
    /// When it came, or came back: slow start counts from here.
    fresh_since: AtomicI64,
    /// Control side only.
    story: Mutex<Story>,
}

impl Health {
    /// A new endpoint. With `unchecked`, it gets no requests before a check has passed.
    pub(crate) fn new(unchecked: bool) -> Self {
        Self {
            flags: AtomicU8::new(if unchecked { UNCHECKED } else { 0 }),
            runs: Runs::default(),
            trial: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: AtomicI64::new(0),
            fresh_since: AtomicI64::new(Moment::now().0),
            story: Mutex::default(),
        }
    }

    /// Whether it is fit for requests as far as is known.
    pub(crate) fn is_available(&self) -> bool {
        !self.has(FAILING | UNCHECKED | EJECTED)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.has(FAILING)
    }

    pub(crate) fn is_unchecked(&self) -> bool {
        self.has(UNCHECKED)
    }

    pub(crate) fn is_ejected(&self) -> bool {
        self.has(EJECTED)
    }

    pub(crate) fn is_on_trial(&self) -> bool {
        self.has(ON_TRIAL)
    }

    /// Until when it is ejected.
    pub(crate) fn ejected_until(&self) -> Option<Moment> {
        self.is_ejected()
            .then(|| Moment(self.ejected_until.load(Ordering::Acquire)))
    }

    /// How long it has been there, or back.
    pub(crate) fn age(&self, now: Moment) -> Duration {
        Moment(self.fresh_since.load(Ordering::Relaxed)).until(now)
    }

    /// Whether nobody answered the last try.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.runs.has_failed()
    }

    /// Counts a try. On trial, the first failure is one too many. Without rules it is only noted.
    pub(crate) fn count(&self, verdict: Verdict, rules: Option<&Eject>) -> Counted {
        self.runs.count(verdict);
        let Some(rules) = rules else {
            return Counted::Nothing;
        };
        let reason = match verdict {
            Verdict::Good => None,
            _ => self.runs.too_many(rules),
        };
        if !self.has(ON_TRIAL) {
            return reason.map_or(Counted::Nothing, Counted::TooMany);
        }
        if verdict == Verdict::Good {
            return if self.trial.fetch_sub(1, Ordering::Relaxed) <= 1 && self.clear(ON_TRIAL) {
                Counted::Trusted
            } else {
                Counted::Nothing
            };
        }
        if matches!(verdict, Verdict::ServerError) && rules.consecutive_5xx == 0 {
            return Counted::Nothing;
        }
        Counted::TooMany(Reason::Trial)
    }

    /// Counts an answer whose body broke off. On trial, that is one too many.
    pub(crate) fn broke_off(&self, rules: &Eject) -> Counted {
        let broken = self.runs.broke_off();
        if self.has(ON_TRIAL) {
            return Counted::TooMany(Reason::Trial);
        }
        match rules.consecutive_failures {
            1.. if broken >= rules.consecutive_failures => Counted::TooMany(Reason::Broken(broken)),
            _ => Counted::Nothing,
        }
    }

    /// Notes an answer whose body came to its end.
    pub(crate) fn answered_wholly(&self) {
        self.runs.answered_wholly();
    }

    /// Ejects it. `None` if it is ejected already; otherwise for how long.
    pub(super) fn eject(&self, now: Moment, rules: &Eject) -> Option<Duration> {
        if self.is_ejected() {
            return None;
        }
        let lasts = rules.duration(self.ejections.load(Ordering::Relaxed));
        self.ejected_until
            .store(now.after(lasts).0, Ordering::Release);
        if self.flags.fetch_or(EJECTED, Ordering::AcqRel) & EJECTED != 0 {
            return None;
        }
        self.flags.fetch_and(!ON_TRIAL, Ordering::AcqRel);
        self.ejections.fetch_add(1, Ordering::Relaxed);
        Some(lasts)
    }

    /// Takes an ejection back that there was no room for.
    pub(super) fn pardon(&self) {
        if self.clear(EJECTED) {
            self.forgive();
        }
    }

    /// Ends an ejection: on trial from now on.
    pub(crate) fn begin_trial(&self, now: Moment, trial: u32) {
        self.runs.forget();
        self.trial.store(trial, Ordering::Relaxed);
        self.fresh_since.store(now.0, Ordering::Relaxed);
        if trial > 0 {
            self.flags.fetch_or(ON_TRIAL, Ordering::AcqRel);
        }
        self.flags.fetch_and(!EJECTED, Ordering::AcqRel);
    }

    /// Forgets one ejection, if it is not ejected now. Whether more are left to forget.
    pub(crate) fn forgive(&self) -> bool {
        if self.is_ejected() {
            return true;
        }
        let less = |count: u32| count.checked_sub(1);
        let before = self
            .ejections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        before.is_ok_and(|before| before > 1)
    }

    /// Whether ejections are remembered.
    pub(crate) fn has_record(&self) -> bool {
        self.ejections.load(Ordering::Relaxed) > 0
    }

    /// Checks pass from now on. Whether that is news.
    pub(crate) fn passes(&self, now: Moment) -> bool {
        let news = self.clear(FAILING | UNCHECKED);
        if news {
            self.fresh_since.store(now.0, Ordering::Relaxed);
        }
        news
    }

    /// Checks fail from now on. Whether that is news.
    pub(crate) fn fails(&self) -> bool {
        self.flags.fetch_or(FAILING, Ordering::AcqRel) & FAILING == 0
    }

    /// Nobody checks any more.
    pub(crate) fn forget_checks(&self) {
        self.clear(FAILING | UNCHECKED);
    }

    /// Nobody ejects any more.
    pub(crate) fn forget_ejections(&self) {
        self.clear(EJECTED | ON_TRIAL);
        self.ejections.store(0, Ordering::Relaxed);
        self.runs.forget();
    }

    /// Notes a change, for people.
    pub(crate) fn note(&self, turn: Turn) {
        self.story
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(SystemTime::now(), turn);
    }

    /// What happened, oldest first.
    pub(crate) fn story(&self) -> Vec<Transition> {
        self.story
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read()
    }

    fn has(&self, flags: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flags != 0
    }

    /// Whether one of them was set.
    fn clear(&self, flags: u8) -> bool {
        self.has(flags) && self.flags.fetch_and(!flags, Ordering::AcqRel) & flags != 0
    }
}

/// What a try has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Nothing.
    Nothing,
    /// The trial is over.
    Trusted,
    /// The endpoint should be ejected.
    TooMany(Reason),
}
