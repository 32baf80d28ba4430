//! Consumers and plans that come from outside the configuration, and change while it serves.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::{ArcSwap, Guard};
use lintel_kernel::Consumer;
use rustc_hash::FxHashSet;

use super::Directory;
use crate::{callers::ByCaller, quota, rate_limit};

/// Consumers and plans from outside, as they are just now: replaced as a whole, read without a lock.
#[derive(Default)]
pub struct Outside(ArcSwap<Layers>);

/// Consumers and plans from outside. Most of them were built together; what has changed since lies
/// above, so that a change costs as much as what changes, and what workers remember of the others
/// stays.
#[derive(Debug, Default)]
pub struct Layers {
    /// Consumers that have changed since the base was built, as they are now.
    pub changed: Layer,
    /// The others, and what those were before.
    pub base: Arc<Layer>,
    /// Consumers that are in the base, and have changed since or are gone.
    pub hidden: FxHashSet<Arc<str>>,
    /// All plans.
    pub plans: Arc<Layer>,
    number: Number,
}

/// Tells one state from all others.
#[derive(Debug)]
struct Number(u64);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Consumers or plans that were built together.
#[derive(Debug, Default)]
pub struct Layer {
    /// What consumers prove themselves with.
    pub directory: Directory,
    /// Their limits.
    pub limits: rate_limit::Callers,
    /// Their quotas.
    pub quotas: quota::Callers,
}

/// What a request sees of [`Outside`]; nothing where there is none, or where nobody is known to call.
pub(crate) type Seen = Option<Guard<Arc<Layers>>>;

impl Outside {
    /// From now on these are they.
    pub fn set(&self, layers: Arc<Layers>) {
        self.0.store(layers);
    }

    /// All of them.
    pub fn layers(&self) -> Arc<Layers> {
        self.0.load_full()
    }

    pub(crate) fn load(&self) -> Guard<Arc<Layers>> {
        self.0.load()
    }

    /// What they are, for what is asked of a caller alone.
    pub(crate) fn of(this: Option<&Arc<Self>>, consumer: Option<&Consumer>) -> Seen {
        consumer.and(this).map(|outside| outside.load())
    }
}

impl Default for Number {
    fn default() -> Self {
        Self(NEXT.fetch_add(1, Relaxed))
    }
}

impl Layers {
    /// These, with all plans.
    pub fn new(
        base: Arc<Layer>,
        changed: Layer,
        hidden: FxHashSet<Arc<str>>,
        plans: Arc<Layer>,
    ) -> Self {
        Self {
            changed,
            base,
            hidden,
            plans,
            number: Number::default(),
        }
    }

    /// A number that no other state has.
    pub(crate) const fn number(&self) -> u64 {
        self.number.0
    }

    /// All quotas of consumers and plans.
    pub(crate) fn quotas(&self) -> impl Iterator<Item = &Arc<quota::Quota>> {
        let base = self.base.quotas.0.consumers.iter();
        let base = base.filter(|(name, _)| !self.hidden.contains(*name));
        let base = base.flat_map(|(_, own)| own);
        base.chain(self.changed.quotas.0.all())
            .chain(self.plans.quotas.0.all())
    }

    /// What a consumer has of its own.
    pub(crate) fn own<'a, T>(
        &'a self,
        consumer: &Consumer,
        kind: fn(&'a Layer) -> &'a ByCaller<T>,
    ) -> Option<&'a Vec<T>> {
        let name = &consumer.name;
        let changed = kind(&self.changed).consumers.get(name);
        changed.or_else(|| match self.hidden.contains(name) {
            true => None,
            false => kind(&self.base).consumers.get(name),
        })
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}
