//! Ending all connections of a worker without breaking a request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// One switch for all connections of a worker. Once started, idle connections close at once and busy ones after the answer they
/// are at, which says `Connection: close` (RFC 9112 §9.6).
#[derive(Clone, Default)]
pub struct Drain(Rc<Shared>);

#[derive(Default)]
struct Shared {
    started: Cell<bool>,
    connections: RefCell<Slots>,
}

#[derive(Default)]
struct Slots {
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
}

impl Drain {
    /// A drain that has not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts draining and wakes every connection. Doing it again changes nothing.
    pub fn start(&self) {
        self.0.started.set(true);
        // Waking runs foreign code only in exotic executors, but nothing may be borrowed when it does.
        let wakers: Vec<Waker> = self
            .0
            .connections
            .borrow()
            .wakers
            .iter()
            .flatten()
            .cloned()
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Whether draining has started.
    pub fn is_draining(&self) -> bool {
        self.0.started.get()
    }

    /// Connections that are being served under this drain.
    pub fn connections(&self) -> usize {
        let slots = self.0.connections.borrow();
        slots.wakers.len() - slots.free.len()
    }

    /// Counts a connection in until the registration is dropped.
    pub(super) fn register(&self) -> Registration {
        let mut slots = self.0.connections.borrow_mut();
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.wakers.push(None);
            slots.wakers.len() as u32 - 1
        });
        Registration {
            drain: self.clone(),
            slot,
        }
    }
}

pub(super) struct Registration {
    drain: Drain,
    slot: u32,
}

impl Registration {
    /// Whether draining has started; if not, the task is woken when it does.
    pub(super) fn poll_draining(&self, cx: &Context<'_>) -> bool {
        if self.drain.is_draining() {
            return true;
        }
        let mut slots = self.drain.0.connections.borrow_mut();
        if let Some(slot) = slots.wakers.get_mut(self.slot as usize) {
            // A connection stays in its task, so this is a compare in the usual case.
            match slot {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                _ => *slot = Some(cx.waker().clone()),
            }
        }
        false
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_draining()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut slots = self.drain.0.connections.borrow_mut();
        if let Some(slot) = slots.wakers.get_mut(self.slot as usize) {
            *slot = None;
        }
        slots.free.push(self.slot);
    }
}
