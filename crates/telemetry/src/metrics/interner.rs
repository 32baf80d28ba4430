//! A worker's names: one state each, shared by all handles to it.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
};

use rustc_hash::FxHashMap;

use super::{
    family::OVERFLOW, life::Life, listener::ListenerState, route::RouteState,
    service::ServiceState, worker::Common,
};

/// A name's state in one worker; outlives the handles to it until the catalogue retires it.
pub(crate) trait State: Sized {
    fn new(name: &Arc<str>, common: &Rc<Common>) -> Self;
    fn life(&self) -> &Life;
    /// Label sets it holds of the worker's budget.
    fn weight(&self) -> usize;
}

impl State for RouteState {
    fn new(name: &Arc<str>, common: &Rc<Common>) -> Self {
        Self::register(name, common)
    }

    fn life(&self) -> &Life {
        &self.block.life
    }

    fn weight(&self) -> usize {
        1 + self.requests.borrow().len()
    }
}

impl State for ServiceState {
    fn new(name: &Arc<str>, common: &Rc<Common>) -> Self {
        Self::register(name, common)
    }

    fn life(&self) -> &Life {
        &self.block.life
    }

    fn weight(&self) -> usize {
        1
    }
}

impl State for ListenerState {
    fn new(name: &Arc<str>, common: &Rc<Common>) -> Self {
        Self::register(name, common)
    }

    fn life(&self) -> &Life {
        &self.block.life
    }

    fn weight(&self) -> usize {
        1
    }
}

/// A handle that callers keep; the last one dropped lets the name go idle.
pub(crate) struct Held<S: State>(pub(crate) Rc<S>);

impl<S: State> Drop for Held<S> {
    fn drop(&mut self) {
        self.0.life().release();
    }
}

/// A public handle type around [`Held`].
pub(crate) trait Named {
    type State: State;
    fn new(held: Held<Self::State>) -> Self;
}

pub(crate) struct Interner<N: Named> {
    slots: RefCell<FxHashMap<Arc<str>, Slot<N>>>,
    seen_retirements: Cell<u64>,
}

struct Slot<N: Named> {
    live: Weak<N>,
    state: Rc<N::State>,
}

impl<N: Named> Default for Interner<N> {
    fn default() -> Self {
        Self {
            slots: RefCell::default(),
            seen_retirements: Cell::new(0),
        }
    }
}

impl<N: Named> Interner<N> {
    pub(crate) fn get(&self, name: &str, common: &Rc<Common>) -> Rc<N> {
        if let Some(known) = self.find(name) {
            return known;
        }
        self.sweep(common);
        if name != OVERFLOW && !common.admit() {
            return self.get(OVERFLOW, common);
        }
        let name: Arc<str> = name.into();
        let state = Rc::new(N::State::new(&name, common));
        let handle = Rc::new(N::new(Held(state.clone())));
        let slot = Slot {
            live: Rc::downgrade(&handle),
            state,
        };
        self.slots.borrow_mut().insert(name, slot);
        handle
    }

    fn find(&self, name: &str) -> Option<Rc<N>> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(name)?;
        if let Some(live) = slot.live.upgrade() {
            return Some(live);
        }
        slot.state.life().revive().then(|| {
            let handle = Rc::new(N::new(Held(slot.state.clone())));
            slot.live = Rc::downgrade(&handle);
            handle
        })
    }

    /// Forgets what the catalogue has retired since the last time.
    fn sweep(&self, common: &Common) {
        let retirements = common.retirements();
        if self.seen_retirements.replace(retirements) == retirements {
            return;
        }
        self.slots.borrow_mut().retain(|_, slot| {
            let keep = !slot.state.life().is_retired();
            if !keep {
                common.release(slot.state.weight());
            }
            keep
        });
    }
}
