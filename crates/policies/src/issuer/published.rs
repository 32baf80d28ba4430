//! The keys that workers read, and how they ask for newer ones.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use lintel_jose::Keys;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::endpoints::Endpoints;

/// A refresh is under way, or asked for.
const PENDING: u64 = u64::MAX;

/// Keys as they were last fetched. Workers read them without a lock; one task writes.
pub(crate) struct Published {
    keys: ArcSwapOption<Keys>,
    endpoints: ArcSwapOption<Endpoints>,
    /// Counts up with every change; 0 while there are none.
    version: AtomicU64,
    /// How many changes there were.
    changes: AtomicU64,
    /// When a token may cause a refresh again, in milliseconds since `born`; or [`PENDING`].
    not_before: AtomicU64,
    born: Instant,
    cooldown: Duration,
    asked: Notify,
    /// Refreshes that have ended, well or not.
    ended: watch::Sender<u64>,
}

impl Published {
    pub(super) fn new(cooldown: Duration) -> Self {
        Self {
            keys: ArcSwapOption::empty(),
            endpoints: ArcSwapOption::empty(),
            version: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            not_before: AtomicU64::new(0),
            born: Instant::now(),
            cooldown,
            asked: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// What the keys are numbered with: equal numbers, equal keys. 0 where there are none. To be
    /// read before [`keys`](Self::keys), so that whoever keeps both never keeps a number that is
    /// too high.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// The keys, if there are any.
    pub(crate) fn keys(&self) -> Guard<Option<Arc<Keys>>> {
        self.keys.load()
    }

    /// The issuer's endpoints, once its metadata were read.
    pub(crate) fn endpoints(&self) -> Guard<Option<Arc<Endpoints>>> {
        self.endpoints.load()
    }

    /// Asks for newer keys on behalf of a token that these don't fit. Whether some are on their way
    /// now: tokens cause at most one refresh in each cooldown, however many there are.
    pub(crate) fn ask(&self) -> bool {
        let not_before = self.not_before.load(Acquire);
        if not_before == PENDING {
            return true;
        }
        // Without any keys the task tries again by itself, with pauses of its own.
        if self.now() < not_before || self.version() == 0 {
            return false;
        }
        match self
            .not_before
            .compare_exchange(not_before, PENDING, AcqRel, Acquire)
        {
            Ok(_) => {
                self.asked.notify_one();
                true
            }
            // Whoever was faster has asked.
            Err(now) => now == PENDING,
        }
    }

    /// Waits for the end of the refresh that is under way, if one is.
    pub(crate) async fn settled(&self) {
        let mut ended = self.ended.subscribe();
        if self.not_before.load(Acquire) == PENDING {
            // Fails only when there is no task any more, and then nothing comes.
            let _ = ended.changed().await;
        }
    }

    /// Asks for newer keys at once, cooldown or not, and waits for the end of a refresh that began
    /// after this.
    pub(super) async fn refreshed(&self) {
        let mut ended = self.ended.subscribe();
        let under_way = self.not_before.swap(PENDING, AcqRel) == PENDING;
        self.asked.notify_one();
        // What is under way may have read what the issuer had before.
        let awaited = if under_way { 2 } else { 1 };
        for _ in 0..awaited {
            // Fails only when there is no task any more, and then nothing comes.
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until a token has asked.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// A refresh begins.
    pub(super) fn begin(&self) {
        self.not_before.store(PENDING, Release);
    }

    /// What was fetched. Whether the keys are others than before.
    pub(super) fn publish(&self, keys: Keys, endpoints: Option<Endpoints>) -> bool {
        if let Some(endpoints) = endpoints {
            self.endpoints.store(Some(Arc::new(endpoints)));
        }
        let same = self.keys.load().as_ref().is_some_and(|own| own.same(&keys));
        if same {
            return false;
        }
        self.keys.store(Some(Arc::new(keys)));
        self.number();
        true
    }

    /// Takes the keys back.
    pub(super) fn withdraw(&self) {
        self.version.store(0, Release);
        self.keys.store(None);
    }

    fn number(&self) {
        let version = self.changes.fetch_add(1, Relaxed) + 1;
        self.version.store(version, Release);
    }

    /// A refresh has ended, or nobody is there any more who would make one.
    pub(super) fn end(&self) {
        let next = self.now().saturating_add(millis(self.cooldown));
        self.not_before.store(next, Release);
        self.ended.send_modify(|ended| *ended += 1);
    }

    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
