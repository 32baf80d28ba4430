//! How many replicas of the gateway there are.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Redis, script::Script, total::STORES};

/// The number of replicas: one that is written, or one that they count themselves, in a store.
///
/// Each announces itself there in every heartbeat and is told how many there are; one that was not
/// heard of for [`PATIENCE`] heartbeats is gone. While the store does not answer, the last known
/// number holds. What is counted is read by all workers, without a wait.
pub struct Replicas {
    known: Arc<AtomicU32>,
    counting: Option<Counting>,
}

/// How replicas are counted.
#[derive(Clone)]
pub struct Census {
    /// Where.
    pub store: Arc<Redis>,
    /// What this one is called there: unlike any other, and the same as long as the process lives.
    pub name: Arc<str>,
    /// How often each announces itself.
    pub heartbeat: Duration,
    /// How many there are taken to be before the store has answered for the first time.
    pub assumed: u32,
}

/// After how many heartbeats without a word a replica is gone.
pub const PATIENCE: u32 = 5;

struct Counting {
    census: Census,
    running: Mutex<Option<Running>>,
}

/// The task that announces. It says that this one leaves when it is told so, and just ends when the
/// sender is gone: another may announce the same name by then.
struct Running {
    leave: watch::Sender<bool>,
    left: watch::Receiver<()>,
}

impl Replicas {
    /// So many.
    pub fn fixed(number: u32) -> Self {
        Self {
            known: Arc::new(AtomicU32::new(number.max(1))),
            counting: None,
        }
    }

    /// As many as there are. Nothing is asked before the [start](Self::start).
    pub fn counted(census: Census) -> Self {
        Self {
            known: Arc::new(AtomicU32::new(census.assumed.max(1))),
            counting: Some(Counting {
                census,
                running: Mutex::default(),
            }),
        }
    }

    /// How many there are, as far as is known; 1 at least.
    pub fn count(&self) -> u32 {
        self.known.load(Relaxed)
    }

    /// How they are counted; `None` where their number is written.
    pub fn census(&self) -> Option<&Census> {
        self.counting.as_ref().map(|counting| &counting.census)
    }

    /// Begins to count, unless that has begun before or the number is written. It ends when this is
    /// dropped, at the latest.
    pub fn start(&self) {
        let Some(counting) = &self.counting else {
            return;
        };
        let mut running = counting.running();
        if running.is_some() {
            return;
        }
        let (leave, stop) = watch::channel(false);
        let (done, left) = watch::channel(());
        let heart = Heart {
            census: counting.census.clone(),
            known: Arc::clone(&self.known),
            script: Script::new(include_str!("lua/replicas.lua").to_owned()),
        };
        if !STORES.run(move || heart.beat(stop, done)) {
            tracing::error!("replicas can't be counted: there is no thread for it");
        }
        *running = Some(Running { leave, left });
    }

    /// Tells the others that this one is no more. Waits until the store knows, no longer than for an
    /// answer.
    pub async fn leave(&self) {
        let Some(counting) = &self.counting else {
            return;
        };
        let running = counting.running().take();
        if let Some(Running { leave, mut left }) = running {
            leave.send_replace(true);
            // Ends with an error, as nothing is ever sent.
            let _ = timeout(counting.census.store.patience(), left.changed()).await;
        }
    }
}

impl Counting {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Heart {
    census: Census,
    known: Arc<AtomicU32>,
    script: Script,
}

impl Heart {
    async fn beat(self, mut stop: watch::Receiver<bool>, _done: watch::Sender<()>) {
        let mut beats = interval(self.census.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answering = true;
        loop {
            tokio::select! {
                _ = beats.tick() => {}
                _ = stop.changed() => break,
            }
            match self.announce(false).await {
                Ok(number) => {
                    let before = self.known.swap(number.max(1), Relaxed);
                    if before != number {
                        tracing::info!(
                            replicas = number,
                            before,
                            "the number of replicas has changed"
                        );
                    }
                    if !answering {
                        tracing::info!(
                            store = &**self.census.store.name(),
                            "replicas are counted again"
                        );
                    }
                    answering = true;
                }
                Err(error) => {
                    if answering {
                        tracing::warn!(
                            store = &**self.census.store.name(),
                            replicas = self.known.load(Relaxed),
                            error,
                            "replicas can't be counted; the last known number holds"
                        );
                    }
                    answering = false;
                }
            }
        }
        if *stop.borrow() {
            // Whoever does not hear of it waits until this one is gone for lack of heartbeats.
            let _ = self.announce(true).await;
        }
    }

    async fn announce(&self, leaving: bool) -> Result<u32, String> {
        let store = &self.census.store;
        let silence = self.census.heartbeat.saturating_mul(PATIENCE).as_millis();
        let key = format!("{}:replicas", store.prefix());
        let mut call = self.script.call();
        call.key(&key)
            .arg(&*self.census.name)
            .arg(u64::try_from(silence).unwrap_or(u64::MAX).max(1))
            .arg(u8::from(leaving));
        let numbers: Vec<i64> = store.ask(&call).await?;
        let number = numbers
            .first()
            .and_then(|number| u32::try_from(*number).ok());
        number.ok_or_else(|| "the script has answered something else".to_owned())
    }
}

impl Default for Replicas {
    /// One.
    fn default() -> Self {
        Self::fixed(1)
    }
}

impl PartialEq for Census {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
            && self.name == other.name
            && self.heartbeat == other.heartbeat
            && self.assumed == other.assumed
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replicas").field(&self.count()).finish()
    }
}
