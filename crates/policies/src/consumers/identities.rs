//! The identities of an index's entries: made when first needed, for each worker.

use std::{fmt, rc::Rc};

use lintel_kernel::Identity;
use lintel_state::Local;

/// Identities by the number of their entry. Takes eight bytes for each entry and worker, and the
/// identities of those that have called.
#[derive(Default)]
pub(super) struct Identities(Local<Vec<Option<Rc<Identity>>>>);

impl Identities {
    /// The identity of an entry.
    pub(super) fn of(
        &self,
        entry: usize,
        entries: usize,
        make: impl FnOnce() -> Identity,
    ) -> Rc<Identity> {
        let known = |all: &mut Vec<Option<Rc<Identity>>>| match all.get_mut(entry) {
            Some(place) => Rc::clone(place.get_or_insert_with(|| Rc::new(make()))),
            None => Rc::new(make()),
        };
        self.0.with(|| vec![None; entries], known)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities")
    }
}
