use std::{cell::Cell, rc::Rc};

use lintel_proxy::Worker;
use tokio::sync::Notify;

/// What everything on a worker shares.
pub(crate) struct Core {
    pub(crate) proxy: Rc<Worker>,
    /// Open client connections.
    pub(super) connections: Cell<usize>,
    /// Sockets that connections are taken from.
    pub(super) accepting: Cell<usize>,
    /// Either count has come down to zero.
    pub(super) emptied: Notify,
}

/// Counts something as open until it is dropped.
pub(crate) struct Counted {
    core: Rc<Core>,
    count: fn(&Core) -> &Cell<usize>,
}

impl Core {
    pub(super) fn new(proxy: Rc<Worker>) -> Rc<Self> {
        Rc::new(Self {
            proxy,
            connections: Cell::new(0),
            accepting: Cell::new(0),
            emptied: Notify::new(),
        })
    }

    /// Counts a client connection.
    pub(crate) fn connection(self: &Rc<Self>) -> Counted {
        Counted::new(self, |core| &core.connections)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections.get() == 0 && self.accepting.get() == 0
    }
}

impl Counted {
    pub(super) fn new(core: &Rc<Core>, count: fn(&Core) -> &Cell<usize>) -> Self {
        count(core).set(count(core).get() + 1);
        Self {
            core: Rc::clone(core),
            count,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let count = (self.count)(&self.core);
        count.set(count.get().saturating_sub(1));
        if count.get() == 0 {
            self.core.emptied.notify_one();
        }
    }
}
