//! Small process-unique indexes: a worker finds its own state of a shared thing in a table, not in
//! a hash map.

use std::sync::{Mutex, PoisonError};

/// A family of slots.
pub(crate) struct Slots(Mutex<Free>);

struct Free {
    returned: Vec<usize>,
    next: usize,
}

/// An index that nobody else holds; given back on drop and then used again.
pub(crate) struct Slot {
    index: usize,
    family: &'static Slots,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Free {
            returned: Vec::new(),
            next: 0,
        }))
    }

    pub(crate) fn take(&'static self) -> Slot {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = free.returned.pop().unwrap_or_else(|| {
            free.next += 1;
            free.next - 1
        });
        Slot {
            index,
            family: self,
        }
    }
}

impl Slot {
    pub(crate) const fn index(&self) -> usize {
        self.index
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.family
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .returned
            .push(self.index);
    }
}
