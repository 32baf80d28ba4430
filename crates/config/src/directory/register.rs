//! The entries that are in use.

use std::{
    collections::BTreeMap,
    fmt, mem,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lintel_kernel::Fault;
use lintel_policies::Outside;
use lintel_state::store::Record;
use rustc_hash::FxHashSet;
use serde_json::Value;

use super::{
    entry::{self, Kind},
    state::{State, Terms},
};
use crate::redact::HIDDEN;

/// Entries from outside, held against one configuration.
pub(crate) struct Register {
    terms: Terms,
    outside: Arc<Outside>,
    stated: Mutex<Stated>,
}

/// What is known, and how often it has changed.
#[derive(Default)]
struct Stated {
    state: State,
    changes: u64,
    /// How often another had changed when this took over what it had.
    followed: Option<u64>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: Arc<str>,
    /// Of the changes of all entries the how manieth made it what it is.
    pub number: u64,
    /// What it says, secrets hidden.
    pub value: Value,
}

/// How it is with the entries and their source.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The store or the file.
    pub source: String,
    /// Consumers in use.
    pub consumers: usize,
    /// Plans in use.
    pub plans: usize,
    /// How many entries can't be used as they are told.
    pub refused: usize,
    /// The first of them, and why.
    pub faults: Vec<(String, String)>,
    /// When the source was last heard of, in seconds since 1970.
    pub heard: Option<u64>,
    /// Why it fails since.
    pub failing: Option<String>,
}

/// Refused entries that are told one by one.
const SHOWN: usize = 20;

impl Register {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            outside: Arc::default(),
            stated: Mutex::default(),
        }
    }

    pub(crate) const fn outside(&self) -> &Arc<Outside> {
        &self.outside
    }

    /// Takes over what a source tells, and says so in the log.
    pub(crate) fn take(&self, told: Vec<Record>) {
        if told.is_empty() {
            return;
        }
        let count = told.len();
        let mut stated = self.stated();
        let refused = stated.state.refused.keys().cloned().collect::<Vec<_>>();
        self.apply(&mut stated, told);
        let state = &stated.state;
        tracing::info!(
            changes = count,
            consumers = state.consumers.len(),
            plans = state.plans.len(),
            refused = state.refused.len(),
            "consumers and plans from outside have changed"
        );
        let new = state.refused.iter().filter(|(id, _)| !refused.contains(id));
        for ((kind, name), refused) in new.take(SHOWN) {
            tracing::warn!(
                entry = &*kind.record(name),
                why = told_of(&refused.fault),
                "an entry can't be used; what it was before holds"
            );
        }
    }

    /// Takes over without a word; the mistakes, by entry.
    pub(crate) fn try_out(&self, told: Vec<Record>) -> Vec<(Kind, Arc<str>, Fault)> {
        let mut stated = self.stated();
        self.apply(&mut stated, told);
        let refused = stated.state.refused.iter();
        let faults =
            refused.map(|((kind, name), one)| (*kind, Arc::clone(name), one.fault.clone()));
        faults.collect()
    }

    /// Takes over what another has in use, and then what that has refused; the mistakes in what was
    /// in use there. What this one has is given up.
    pub(crate) fn follow(&self, before: &Self) -> Vec<(Kind, Arc<str>, Fault)> {
        let other = before.stated();
        let (used, refused) = other.state.told();
        let changes = other.changes;
        drop(other);
        let mut stated = self.stated();
        stated.state = State::default();
        stated.followed = Some(changes);
        self.apply(&mut stated, used);
        let lost = stated.state.refused.iter();
        let lost = lost.map(|((kind, name), one)| (*kind, Arc::clone(name), one.fault.clone()));
        let lost = lost.collect();
        self.apply(&mut stated, refused);
        lost
    }

    /// Whether another has not changed since this took over what it had.
    pub(crate) fn follows(&self, before: &Self) -> bool {
        let changes = before.stated().changes;
        self.stated().followed == Some(changes)
    }

    fn apply(&self, stated: &mut Stated, told: Vec<Record>) {
        stated.state.apply(&self.terms, told);
        stated.changes += 1;
        self.outside.set(Arc::clone(&stated.state.layers));
    }

    /// What would be wrong with an entry.
    pub(crate) fn wrong(&self, kind: Kind, name: &str, text: Option<&Arc<str>>) -> Option<Fault> {
        if !(1..=entry::LONGEST_NAME).contains(&name.len()) {
            return Some(Fault::new("a name has up to 256 bytes"));
        }
        // One that is known can go all the same.
        if text.is_some() && name.chars().any(char::is_control) {
            return Some(Fault::new("a name has no control characters in it"));
        }
        self.stated().state.wrong(&self.terms, kind, name, text)
    }

    /// All that is in use, as records.
    pub(crate) fn records(&self) -> BTreeMap<Arc<str>, (u64, Arc<str>)> {
        let (used, _) = self.stated().state.told();
        let known = used.into_iter();
        let known = known.filter_map(|record| Some((record.name, (record.number, record.text?))));
        known.collect()
    }

    /// What is known and not among these, as gone.
    pub(crate) fn others(&self, told: &[Record]) -> Vec<Record> {
        let told: FxHashSet<&str> = told.iter().map(|one| &*one.name).collect();
        let (used, refused) = self.stated().state.told();
        let others = used.into_iter().chain(refused);
        let others = others.filter(|one| !told.contains(&*one.name));
        others.map(|one| Record { text: None, ..one }).collect()
    }

    pub(crate) fn status(&self) -> Status {
        let stated = self.stated();
        let state = &stated.state;
        let faults = state.refused.iter().take(SHOWN);
        let faults = faults.map(|((kind, name), refused)| {
            (kind.record(name).to_string(), told_of(&refused.fault))
        });
        Status {
            consumers: state.consumers.len(),
            plans: state.plans.len(),
            refused: state.refused.len(),
            faults: faults.collect(),
            ..Status::default()
        }
    }

    pub(crate) fn entries(&self, kind: Kind, after: Option<&str>, most: usize) -> Vec<Entry> {
        let stated = self.stated();
        let all = stated.state.all(kind);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = all.range::<str, _>((from, Bound::Unbounded)).take(most);
        range
            .map(|(name, entry)| shown(name, entry.number, &entry.text))
            .collect()
    }

    pub(crate) fn entry(&self, kind: Kind, name: &str) -> Option<Entry> {
        let stated = self.stated();
        let (name, entry) = stated.state.all(kind).get_key_value(name)?;
        Some(shown(name, entry.number, &entry.text))
    }

    pub(crate) fn written(&self, kind: Kind, name: &str) -> Option<(u64, Value)> {
        let stated = self.stated();
        let entry = stated.state.all(kind).get(name)?;
        Some((entry.number, serde_json::from_str(&entry.text).ok()?))
    }

    fn stated(&self) -> MutexGuard<'_, Stated> {
        self.stated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn all(&self, kind: Kind) -> &BTreeMap<Arc<str>, super::state::Entry> {
        match kind {
            Kind::Consumer => &self.consumers,
            Kind::Plan => &self.plans,
        }
    }

    /// What is in use, and what is refused.
    fn told(&self) -> (Vec<Record>, Vec<Record>) {
        let record = |kind: Kind, name: &str, number, text| Record {
            name: kind.record(name),
            number,
            text,
        };
        let used = [Kind::Plan, Kind::Consumer].into_iter().flat_map(|kind| {
            let all = self.all(kind).iter();
            all.map(move |(name, one)| record(kind, name, one.number, Some(Arc::clone(&one.text))))
        });
        let refused = self.refused.iter();
        let refused =
            refused.map(|((kind, name), one)| record(*kind, name, one.number, one.text.clone()));
        (used.collect(), refused.collect())
    }
}

/// A mistake in words, with its place; not those that would show what is secret.
pub(super) fn told_of(fault: &Fault) -> String {
    let last = fault.path.last().map_or("", String::as_str);
    let secret = SECRET.contains(&last) && !fault.discreet;
    let message = match secret {
        true => "this can't be used",
        false => &fault.message,
    };
    let mut text = match fault.path.is_empty() {
        true => message.to_owned(),
        false => format!("{}: {message}", fault.path.join(".")),
    };
    if let Some(hint) = fault.hint.as_ref().filter(|_| !secret) {
        text.push_str("; ");
        text.push_str(hint);
    }
    text
}

/// Keys whose values are not shown.
const SECRET: [&str; 3] = ["argon2", "hash", "secret"];

fn shown(name: &Arc<str>, number: u64, text: &str) -> Entry {
    let mut value = serde_json::from_str(text).unwrap_or(Value::Null);
    hide(&mut value);
    Entry {
        name: Arc::clone(name),
        number,
        value,
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match SECRET.contains(&key.as_str()) {
                    true => drop(mem::replace(value, HIDDEN.into())),
                    false => hide(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(hide),
        _ => {}
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Register")
    }
}
