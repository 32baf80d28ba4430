//! The keys that sign, and those that are published.
//!
//! Rings with equal sources are one, so that a key that was made here outlives a reload. What a key
//! has signed stays verifiable: its public half is published until the last of its tokens has ended,
//! whatever became of the ring.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use lintel_jose::{KeyError, Signer};
use lintel_upstream::Control;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

/// Where keys come from.
#[derive(Debug)]
pub(super) enum Source {
    /// From the configuration: the one that signs, and those that are published beside it.
    Given(Signer, Vec<Signer>),
    /// Made here, one after the other.
    Made {
        /// How long each of them signs.
        rotate: Duration,
    },
}

/// A key that signs, and how long what it has signed is valid.
pub(super) struct Signing {
    pub(super) signer: Signer,
    /// Seconds since 1970.
    until: AtomicU64,
}

/// The keys of one source.
pub(super) struct Keyring {
    kind: Kind,
    current: ArcSwap<Signing>,
    /// Those that do not sign yet.
    next: Mutex<Vec<Arc<Signing>>>,
    task: Mutex<Option<AbortHandle>>,
}

/// Tells one source from another.
#[derive(Debug, PartialEq)]
enum Kind {
    /// By the ids of the keys, in their order.
    Given(Vec<Box<str>>),
    Made(Duration),
}

/// Every key that somebody may have to know.
static ALL: Mutex<Known> = Mutex::new(Known {
    rings: Vec::new(),
    retired: Vec::new(),
});

struct Known {
    rings: Vec<Weak<Keyring>>,
    retired: Vec<Arc<Signing>>,
}

/// How far the clock of a service may be behind.
const LEEWAY: u64 = 60;

/// The public keys of the tokens that say who is calling, as a JWK Set (RFC 7517 §5): those that
/// sign, those that will, and those whose tokens may still be valid.
pub fn identity_keys() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    published(now.unwrap_or_default().as_secs())
}

fn published(now: u64) -> Value {
    let rings = living();
    let retired = {
        let mut all = all();
        all.retired
            .retain(|key| now <= key.until.load(Relaxed).saturating_add(LEEWAY));
        all.retired.clone()
    };
    let mut keys: Vec<Value> = Vec::new();
    let current = rings.iter().map(|ring| ring.current.load_full());
    let next = rings.iter().flat_map(|ring| lock(&ring.next).clone());
    for key in current.chain(next).chain(retired) {
        let jwk = key.signer.jwk();
        if !keys.contains(&jwk) {
            keys.push(jwk);
        }
    }
    json!({ "keys": keys })
}

impl Keyring {
    /// The ring of a source.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn of(source: Source) -> Result<Arc<Self>, KeyError> {
        let kind = Kind::of(&source);
        if let Some(ring) = living().into_iter().find(|ring| ring.kind == kind) {
            return Ok(ring);
        }
        let (current, next) = match source {
            Source::Given(first, others) => (first, others),
            Source::Made { .. } => (Signer::generate()?, Vec::new()),
        };
        let ring = Arc::new(Self {
            kind,
            current: ArcSwap::new(Signing::new(current)),
            next: Mutex::new(next.into_iter().map(Signing::new).collect()),
            task: Mutex::new(None),
        });
        all().rings.push(Arc::downgrade(&ring));
        Ok(ring)
    }

    /// The key that signs now. Whoever uses it says until when, before the token is sent.
    pub(super) fn current(&self) -> arc_swap::Guard<Arc<Signing>> {
        self.current.load()
    }

    /// Begins to replace keys that were made here, unless that has begun before.
    pub(super) fn start(self: &Arc<Self>, control: &Control) {
        let Kind::Made(rotate) = self.kind else {
            return;
        };
        let mut task = lock(&self.task);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.announce();
        let ring = Arc::downgrade(self);
        let replacing = async move {
            loop {
                tokio::time::sleep(rotate).await;
                match ring.upgrade() {
                    Some(ring) => ring.rotate(),
                    None => return,
                }
            }
        };
        *task = Some(control.runtime.spawn(replacing).abort_handle());
    }

    /// The next key signs from now on, and the one after it is published.
    fn rotate(&self) {
        let Some(next) = lock(&self.next).pop() else {
            // None could be made before.
            self.announce();
            return;
        };
        tracing::info!(
            kid = next.signer.id(),
            "identity tokens are signed with another key"
        );
        let last = self.current.swap(next);
        all().retired.push(last);
        self.announce();
    }

    fn announce(&self) {
        match Signer::generate() {
            Ok(signer) => lock(&self.next).push(Signing::new(signer)),
            Err(error) => {
                tracing::warn!(%error, "no key can be made for identity tokens, the last one goes on");
            }
        }
    }
}

impl Kind {
    fn of(source: &Source) -> Self {
        match source {
            Source::Given(first, others) => {
                let all = std::iter::once(first).chain(others);
                Self::Given(all.map(|signer| signer.id().into()).collect())
            }
            Source::Made { rotate } => Self::Made(*rotate),
        }
    }
}

impl Signing {
    fn new(signer: Signer) -> Arc<Self> {
        Arc::new(Self {
            signer,
            until: AtomicU64::new(0),
        })
    }

    /// Something that it signs is valid until a time in seconds since 1970.
    pub(super) fn used_until(&self, until: u64) {
        self.until.fetch_max(until, Relaxed);
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if let Some(task) = &*lock(&self.task) {
            task.abort();
        }
        let last = self.current.load_full();
        if last.until.load(Relaxed) > 0 {
            all().retired.push(last);
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&self.kind).finish()
    }
}

/// Rings that somebody uses. They are not to be held under the lock: the last of one takes it on its
/// way out.
fn living() -> Vec<Arc<Keyring>> {
    let mut all = all();
    all.rings.retain(|ring| ring.strong_count() > 0);
    all.rings.iter().filter_map(Weak::upgrade).collect()
}

fn all() -> MutexGuard<'static, Known> {
    lock(&ALL)
}

/// Nothing is left half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
