//! What is revoked, as it comes into use.

use std::{sync::Arc, time::Duration};

use lintel_state::{
    revoked::{Entry, Revoked},
    store::{self, Terms},
};

use crate::{check::Stores, loaded::Loaded};

/// What is revoked, and where it is kept.
#[derive(Clone, Debug)]
pub struct Revocations {
    revoked: Arc<Revoked>,
    written: Arc<[Entry]>,
    shared: Option<Arc<store::Revocations>>,
    keep: Duration,
}

impl Revocations {
    /// What is known goes on, whatever changes; and the store is asked on where nothing has.
    pub(super) fn build(loaded: &Loaded, stores: &Stores, before: Option<&Self>) -> Self {
        let model = &loaded.model.revocations;
        let revoked = before.map_or_else(Arc::default, |before| Arc::clone(&before.revoked));
        let store = model.store.as_ref().filter(|_| !loaded.rehearsed);
        let terms = store.and_then(|store| {
            Some(Terms {
                store: Arc::clone(stores.by_name.get(store)?),
                poll: model.poll.to_std(),
                room: model.max_entries as usize,
            })
        });
        let known = before.and_then(|before| before.shared.as_ref());
        let shared = terms.map(|terms| match known {
            Some(known) if *known.terms() == terms => Arc::clone(known),
            _ => Arc::new(store::Revocations::new(terms, Arc::clone(&revoked))),
        });
        // Mistakes have been told before.
        let written = model.written().unwrap_or_default().into();
        let built = Self {
            revoked,
            written,
            shared,
            keep: model.keep.to_std(),
        };
        if loaded.rehearsed {
            built.start();
        }
        built
    }

    /// From now on this holds. Blocks until the store has answered, no longer than one answer may take.
    pub fn start(&self) {
        self.revoked.write(&self.written);
        match &self.shared {
            Some(shared) => shared.start(),
            None => self.revoked.forget_shared(),
        }
    }

    /// What holds now.
    pub const fn revoked(&self) -> &Arc<Revoked> {
        &self.revoked
    }

    /// What the store keeps, where there is one.
    pub const fn shared(&self) -> Option<&Arc<store::Revocations>> {
        self.shared.as_ref()
    }

    /// How long an entry is kept that does not say so itself.
    pub const fn keep(&self) -> Duration {
        self.keep
    }
}
