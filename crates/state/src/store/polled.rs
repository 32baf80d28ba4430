//! What a source keeps for all replicas, asked for again and again.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc::{self as blocking, SyncSender},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, timeout},
};

use super::total::STORES;
use crate::revoked::now;

/// Asks a source for news, and changes what it keeps.
pub(super) trait Keeper: 'static {
    /// A change that somebody asks for.
    type Order: Send + 'static;

    /// Makes a change, and tells who asked for it.
    fn follow(&mut self, order: Self::Order) -> impl Future<Output = Result<(), String>>;

    /// Hears what is new.
    fn renew(&mut self) -> impl Future<Output = Result<(), String>>;

    /// Logs that the source fails, once for each time that it begins to, or that it answers again.
    fn note(&self, failing: Option<&str>);
}

/// Runs a keeper from its start until it is dropped.
pub(super) struct Polled<O> {
    story: Arc<Story>,
    running: Mutex<Option<mpsc::Sender<O>>>,
}

/// How it goes with the source.
#[derive(Default)]
struct Story {
    /// When it was last heard of, in seconds since 1970; 0 for never.
    heard: AtomicU64,
    failing: Mutex<Option<String>>,
}

/// Changes that wait while the source is slow.
const WAITING: usize = 64;

impl<O: Send + 'static> Polled<O> {
    /// Begins to ask every `poll`, unless that has begun before, and waits for the first answer for
    /// `patience`. Blocks.
    pub(super) fn start<K: Keeper<Order = O>>(
        &self,
        poll: Duration,
        patience: Duration,
        make: impl FnOnce() -> K + Send + 'static,
    ) {
        let mut running = self.running();
        if running.is_some() {
            return;
        }
        let (orders, received) = mpsc::channel(WAITING);
        let (first, arrived) = blocking::sync_channel(1);
        let story = Arc::clone(&self.story);
        if !STORES.run(move || keep(make(), story, poll, received, first)) {
            tracing::error!("a store can't be asked for news: there is no thread for it");
        }
        *running = Some(orders);
        // Whatever is not there by then comes later, and is logged.
        let _ = arrived.recv_timeout(patience);
    }

    /// Asks for a change. `None` where there has been no answer within `patience`.
    pub(super) async fn order<T>(
        &self,
        patience: Duration,
        order: impl FnOnce(oneshot::Sender<T>) -> O,
    ) -> Option<T> {
        let orders = self.running().clone()?;
        let (tell, told) = oneshot::channel();
        let done = async {
            orders.send(order(tell)).await.ok()?;
            told.await.ok()
        };
        timeout(patience, done).await.ok()?
    }

    /// When the source was last heard of, in seconds since 1970, and why it fails since.
    pub(super) fn status(&self) -> (Option<u64>, Option<String>) {
        let heard = self.story.heard.load(SeqCst);
        ((heard > 0).then_some(heard), self.story.failing().clone())
    }

    fn running(&self) -> MutexGuard<'_, Option<mpsc::Sender<O>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> Default for Polled<O> {
    fn default() -> Self {
        Self {
            story: Arc::default(),
            running: Mutex::default(),
        }
    }
}

async fn keep<K: Keeper>(
    mut keeper: K,
    story: Arc<Story>,
    poll: Duration,
    mut orders: mpsc::Receiver<K::Order>,
    first: SyncSender<()>,
) {
    let mut polls = interval(poll);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let order = tokio::select! {
            _ = polls.tick() => None,
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return,
            },
        };
        let outcome = match order {
            Some(order) => keeper.follow(order).await,
            None => keeper.renew().await,
        };
        story.note(&keeper, outcome);
        // Nobody waits for any but the first.
        let _ = first.try_send(());
    }
}

impl Story {
    fn note(&self, keeper: &impl Keeper, outcome: Result<(), String>) {
        let mut failing = self.failing();
        match outcome {
            Ok(()) => {
                self.heard.store(now(), SeqCst);
                if failing.take().is_some() {
                    keeper.note(None);
                }
            }
            Err(error) => {
                if failing.is_none() {
                    keeper.note(Some(&error));
                }
                *failing = Some(error);
            }
        }
    }

    fn failing(&self) -> MutexGuard<'_, Option<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
