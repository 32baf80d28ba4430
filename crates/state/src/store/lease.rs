//! Limits that are counted in a store and spent of here: a replica takes some ahead of need.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use rustc_hash::FxHashMap;
use tokio::{
    sync::{Notify, oneshot},
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{Ask, Counted, Redis, Unavailable, ask::Given};
use crate::limit::{
    Change, Key, Table,
    stock::{Found, HOLD, Stock, Want},
};

/// A limit of which a replica holds up to `size` tokens, for all its workers together.
///
/// Most requests are decided here. When half of a batch is used up, more are asked for in passing;
/// nobody waits for that. A request waits only where there is nothing here and the store has not said
/// that it has none either; others of the worker then wait for the same answer. Batches double while
/// they are used up quickly. What is not used within [`HOLD`] goes back.
///
/// What the store has given is spent of in the store. So replicas together admit at most what the limit
/// does in any time, and what they held when it began: `replicas · size` more.
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    store: Arc<Redis>,
    table: Arc<Table>,
    size: u64,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leased {
    /// It is spent; what the store had left, where it was asked.
    Admitted(Option<Counted>),
    /// There is not as much.
    Refused {
        /// How much the store has left.
        remaining: u64,
        /// When there will be enough; `None` where there never is.
        after: Option<Duration>,
    },
}

/// What one worker is asking for.
#[derive(Default)]
pub(super) struct Asking {
    keys: RefCell<FxHashMap<Key, Rc<Pending>>>,
    /// Tokens that are watched until they lapse.
    watched: Cell<usize>,
}

#[derive(Default)]
struct Pending {
    done: Notify,
    /// What those want who wait for it.
    wanted: Cell<u64>,
}

/// Beyond so many a worker lets tokens lapse that were not used, instead of giving them back.
const WATCHED: usize = 10_000;

impl Lease {
    /// Of a store; counts in a table that all workers share. At most `size` tokens are held.
    pub fn new(store: Arc<Redis>, table: Arc<Table>, size: u64) -> Self {
        Self(Arc::new(Inner { store, table, size }))
    }

    /// The most tokens that are held.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// What [`take`](Self::take) would find.
    pub fn look(&self, key: Key, cost: u64) -> Found {
        let state = self.0.table.state(key.beside());
        Stock::read(state).look(self.0.table.now(), cost, self.0.size)
    }

    /// Takes `cost`, if it is here. Where that leaves little, [`ask_ahead`](Self::ask_ahead).
    pub fn take(&self, key: Key, cost: u64) -> Found {
        self.0
            .update(key, |stock, now, size| stock.take(now, cost, size))
    }

    /// What was taken and then not used is there again.
    pub fn put_back(&self, key: Key, cost: u64) {
        self.0
            .update(key, |stock, now, size| stock.put_back(now, cost, size));
    }

    /// Asks the store for more, while nobody waits for it.
    pub fn ask_ahead(&self, key: Key, ask: Ask) {
        if self.0.store.asking().pending(key).is_none() {
            self.fetch(key, Ask { cost: 0, ..ask }, 0);
        }
    }

    /// Takes `ask.cost`, of what is here or of what the store gives. Waits no longer than for an answer
    /// of the store.
    ///
    /// Cancel safe: what the store has given by then stays here.
    ///
    /// # Errors
    /// The store has not answered in time, or with an error.
    pub async fn ask(&self, key: Key, ask: &Ask) -> Result<Leased, Unavailable> {
        let patience = self.0.store.timeout();
        let settled = timeout(patience, self.settle(key, ask)).await;
        settled.unwrap_or(Err(Unavailable))
    }

    async fn settle(&self, key: Key, ask: &Ask) -> Result<Leased, Unavailable> {
        let mut wanted = 0;
        loop {
            match self.take(key, ask.cost) {
                Found::Enough { low } => {
                    if low {
                        self.ask_ahead(key, ask.clone());
                    }
                    return Ok(Leased::Admitted(None));
                }
                Found::None(after) => {
                    return Ok(Leased::Refused {
                        remaining: 0,
                        after: Some(after),
                    });
                }
                Found::Ask => {}
            }
            let Some(pending) = self.0.store.asking().pending(key) else {
                if self.0.store.is_away_for(&ask.key) {
                    self.0.store.skipped();
                    return Err(Unavailable);
                }
                let answer = self.fetch(key, ask.clone(), wanted);
                // The sender is dropped only together with the worker.
                return answer.await.unwrap_or(Err(Unavailable));
            };
            pending.wanted.set(pending.wanted.get() + ask.cost);
            pending.done.notified().await;
            wanted = pending.wanted.get();
        }
    }

    /// Asks the store, in a task of its own: others may wait for the answer, too, and what is given is
    /// not lost when whoever wanted it has gone.
    fn fetch(
        &self,
        key: Key,
        ask: Ask,
        wanted: u64,
    ) -> oneshot::Receiver<Result<Leased, Unavailable>> {
        let (sender, receiver) = oneshot::channel();
        let asking = self.0.store.asking();
        let pending = asking.begin(key);
        let inner = Arc::clone(&self.0);
        spawn_local(async move {
            let (result, held) = inner.lease(key, &ask, wanted).await;
            asking.keys.borrow_mut().remove(&key);
            if let Err(Ok(Leased::Admitted(_))) = sender.send(result) {
                inner.update(key, |stock, now, size| stock.put_back(now, ask.cost, size));
            }
            pending.done.notify_waiters();
            if held {
                inner.watch(key, ask, &asking).await;
            }
        });
        receiver
    }
}

impl Inner {
    /// Whether tokens are held afterwards that may lapse.
    async fn lease(&self, key: Key, ask: &Ask, wanted: u64) -> (Result<Leased, Unavailable>, bool) {
        let Want { most, back } = self.update(key, |stock, now, size| {
            let want = stock.want(now, ask.cost.max(1), size);
            Want {
                most: want.most.max(wanted.min(size)),
                ..want
            }
        });
        match self.store.lease(ask, most, back).await {
            Err(unavailable) => {
                self.update(key, |stock, _, _| stock.unanswered());
                (Err(unavailable), false)
            }
            Ok(Given::Some { given, counted }) => {
                let surplus = self.update(key, |stock, now, size| {
                    let surplus = stock.fill(now, given, ask.cost, size);
                    stock.given(given, most);
                    surplus
                });
                if surplus > 0 {
                    self.give_back(ask, surplus);
                }
                (Ok(Leased::Admitted(Some(counted))), given > ask.cost)
            }
            Ok(Given::TooFew {
                remaining,
                after,
                first,
            }) => {
                match remaining {
                    0 => self.update(key, |stock, now, _| stock.empty(now, first)),
                    _ => self.update(key, |stock, _, _| stock.unanswered()),
                }
                (Ok(Leased::Refused { remaining, after }), false)
            }
        }
    }

    /// Gives back what is not used in its time. Where it was added to meanwhile, whoever did that does.
    async fn watch(&self, key: Key, ask: Ask, asking: &Asking) {
        if asking.watched.get() >= WATCHED {
            return;
        }
        asking.watched.set(asking.watched.get() + 1);
        sleep(HOLD + Duration::from_millis(5)).await;
        asking.watched.set(asking.watched.get() - 1);
        let lapsed = self.update(key, |stock, now, _| stock.lapse(now));
        if lapsed > 0 {
            self.give_back(&ask, lapsed);
        }
    }

    fn give_back(&self, ask: &Ask, cost: u64) {
        let ask = Ask {
            cost,
            ..ask.clone()
        };
        self.store.give_back(vec![ask]);
    }

    /// Changes the stock of a key.
    fn update<R: Copy + Default>(&self, key: Key, change: impl Fn(&mut Stock, u64, u64) -> R) -> R {
        let now = self.table.now();
        let updated = self.table.update(key.beside(), now, |state| {
            let mut stock = Stock::read(state);
            let result = change(&mut stock, now, self.size);
            match stock.state() {
                same if same == state => Change::Keep(result),
                state => Change::To {
                    state,
                    idle_from: stock.idle_from(),
                    result,
                },
            }
        });
        self.store.count_keys(updated.added, updated.displaced);
        updated.result.unwrap_or_default()
    }
}

impl Asking {
    fn pending(&self, key: Key) -> Option<Rc<Pending>> {
        self.keys.borrow().get(&key).map(Rc::clone)
    }

    fn begin(&self, key: Key) -> Rc<Pending> {
        let pending = Rc::new(Pending::default());
        self.keys.borrow_mut().insert(key, Rc::clone(&pending));
        pending
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.0.size).finish()
    }
}
