//! Credentials that are taken back before they end.
//!
//! What is revoked is known to every worker: a request looks it up and asks nobody. The list is
//! replaced as a whole, so that it is read without a lock; it has a number, so that who has looked
//! before need not look again. Where replicas share it, a [store](crate::store::Revocations) keeps it.

mod entry;
mod list;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;

pub use entry::{Entry, LONGEST_NAME, What};
pub use list::Bearer;
pub(crate) use list::Entries;

/// What is revoked. Lives as long as the gateway, whatever its configuration says meanwhile.
#[derive(Default)]
pub struct Revoked {
    list: ArcSwap<Lists>,
    number: AtomicU64,
    /// Held while the list is changed.
    changing: Mutex<()>,
}

/// The two lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    /// Those that are written in the configuration.
    pub(crate) written: Arc<Entries>,
    /// Those that replicas share.
    pub(crate) shared: Arc<Entries>,
}

impl Revoked {
    /// The number of the list: another one whenever something is added.
    pub fn number(&self) -> u64 {
        self.number.load(SeqCst)
    }

    /// Whether this is revoked, at a time in seconds since 1970.
    pub fn means(&self, bearer: &Bearer<'_>, now: u64) -> bool {
        let lists = self.list.load();
        lists.written.mean(bearer, now) || lists.shared.mean(bearer, now)
    }

    /// Replaces what is written in the configuration.
    pub fn write(&self, entries: &[Entry]) {
        let mut written = Entries::default();
        for entry in entries {
            written.add(entry.clone());
        }
        self.change(|lists| lists.written = Arc::new(written));
    }

    /// Forgets what replicas share.
    pub fn forget_shared(&self) {
        self.change(|lists| lists.shared = Arc::default());
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        let lists = self.list.load();
        lists.written.len() + lists.shared.len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries that are not over: those that are written, and those that replicas share.
    pub fn entries(&self) -> (Vec<Entry>, Vec<Entry>) {
        let (lists, now) = (self.list.load(), now());
        let living = |entries: &Entries| {
            let living = entries.iter().filter(|entry| entry.until > now);
            living.cloned().collect()
        };
        (living(&lists.written), living(&lists.shared))
    }

    /// Changes what replicas share, if `work` says that it has changed anything.
    pub(crate) fn share(&self, work: impl FnOnce(&mut Entries) -> bool) -> bool {
        let mut changed = false;
        self.change(|lists| {
            let mut shared = Entries::clone(&lists.shared);
            changed = work(&mut shared);
            if changed {
                lists.shared = Arc::new(shared);
            }
        });
        changed
    }

    pub(crate) fn shared(&self) -> Arc<Entries> {
        Arc::clone(&self.list.load().shared)
    }

    fn change(&self, work: impl FnOnce(&mut Lists)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lists = Lists::clone(&self.list.load());
        work(&mut lists);
        self.list.store(Arc::new(lists));
        // After the list: who sees the new number finds the new list.
        self.number.fetch_add(1, SeqCst);
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

impl PartialEq for Revoked {
    /// There is one for each gateway.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Revoked").field(&self.len()).finish()
    }
}
