//! Consumers and plans from outside the configuration, which change while it serves.
//!
//! A *source* tells entries as records, each a text in JSON under a name: a [file] that is looked
//! at again and again, or a [store](lintel_state::store::Records) that replicas share. The *register*
//! holds them against the configuration that serves and makes of them what policies look up; an entry
//! that can't be used is refused, and what it was before holds. All of this happens beside the workers,
//! which see each [state](lintel_policies::Layers) as a whole.

mod entry;
mod file;
mod register;
mod source;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use lintel_policies::Outside;
use lintel_state::store::{Changed, NotChanged};

pub use entry::Kind;
pub(crate) use file::{open, read};
pub(crate) use register::Register;
pub use register::{Entry, Status};
pub(crate) use source::{Seen, Source};
pub(crate) use state::Terms;

/// Consumers and plans from outside, and where they come from.
#[derive(Clone)]
pub struct Directory {
    register: Arc<Register>,
    source: Arc<Source>,
}

/// Why an entry has not changed.
#[derive(Debug)]
pub enum Unchanged {
    /// It is kept in a file, and is changed there.
    File,
    /// It can't be as it is told: why, for the operator.
    Wrong(String),
    /// The store's reason.
    Store(NotChanged),
}

impl Directory {
    pub(crate) const fn new(register: Arc<Register>, source: Arc<Source>) -> Self {
        Self { register, source }
    }

    pub(crate) const fn register(&self) -> &Arc<Register> {
        &self.register
    }

    pub(crate) const fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// What policies look up.
    pub(crate) fn outside(&self) -> &Arc<Outside> {
        self.register.outside()
    }

    /// Whether this is the same as another, and not one that was built anew.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.register, &other.register)
    }

    /// Begins to follow the source, unless that has begun before. Blocks until it has answered, or has
    /// failed to.
    pub fn start(&self) {
        self.source.start(&self.register);
    }

    /// Whether the source has told what there is, or another before it has.
    pub fn is_known(&self) -> bool {
        let status = self.status();
        status.heard.is_some() || status.consumers > 0
    }

    /// How it is with the entries and their source.
    pub fn status(&self) -> Status {
        self.source.status(self.register.status())
    }

    /// Entries in the order of their names, from after one on.
    pub fn entries(&self, kind: Kind, after: Option<&str>, most: usize) -> Vec<Entry> {
        self.register.entries(kind, after, most)
    }

    /// An entry as it is in use.
    pub fn entry(&self, kind: Kind, name: &str) -> Option<Entry> {
        self.register.entry(kind, name)
    }

    /// The number of an entry that is in use, and what it says: for changes of it, not to be shown.
    pub fn written(&self, kind: Kind, name: &str) -> Option<(u64, serde_json::Value)> {
        self.register.written(kind, name)
    }

    /// Changes an entry for all replicas: a text in YAML or JSON, or none to remove it; its new number.
    /// `expected` is the number that it must have before, 0 where there must be none.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn change(
        &self,
        kind: Kind,
        name: &str,
        text: Option<&str>,
        expected: Option<u64>,
    ) -> Result<u64, Unchanged> {
        let Source::Store(store) = &*self.source else {
            return Err(Unchanged::File);
        };
        let text = match text {
            Some(text) => Some(file::entry(kind, name, text).map_err(Unchanged::Wrong)?),
            None => None,
        };
        let wrong = self.register.wrong(kind, name, text.as_ref());
        if let Some(fault) = wrong {
            return Err(Unchanged::Wrong(register::told_of(&fault)));
        }
        let change = Changed {
            name: kind.record(name),
            text,
            expected,
        };
        let number = store.records.change(change).await;
        number.map_err(Unchanged::Store)
    }
}
