//! Accounts by name.

use std::{
    fmt,
    hash::Hasher as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwapOption;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::account::Account;

/// Accounts by name, found and opened by all threads without a lock.
///
/// A table that is never more than half full, in which an account stays where it was put: of two
/// threads that open the same one, both come to the same free place first, and one of them finds it
/// taken by the other. Memory is bounded: names beyond the room share one account.
pub struct Ledger<const N: usize> {
    places: Box<[ArcSwapOption<Account<N>>]>,
    secret: (u64, u64),
    room: usize,
    held: AtomicUsize,
    /// Counts those for whom there is no room.
    overflow: Arc<Account<N>>,
}

/// The name of the account that those share for whom there is no room.
pub const OVERFLOW: &str = "(overflow)";

impl<const N: usize> Ledger<N> {
    /// With room for so many accounts. Takes 16 bytes for each at once, and about 150 and its name
    /// once it is opened.
    pub fn new(room: usize) -> Self {
        let room = room.max(1);
        let places = room.saturating_mul(2).next_power_of_two();
        Self {
            places: (0..places).map(|_| ArcSwapOption::empty()).collect(),
            secret: (fastrand::u64(..), fastrand::u64(..)),
            room,
            held: AtomicUsize::new(0),
            overflow: Arc::new(Account::new(OVERFLOW, (0, 0))),
        }
    }

    /// The account of a name; it is opened where there is none.
    pub fn account(&self, name: &str) -> Arc<Account<N>> {
        let hash = self.hash(name);
        for place in self.from(hash) {
            let known = place.load();
            match &*known {
                Some(account) if account.is(hash) => return Arc::clone(account),
                Some(_) => {}
                None => {
                    if self.held.load(Relaxed) >= self.room {
                        break;
                    }
                    let opened = Arc::new(Account::new(name, hash));
                    let found = place.compare_and_swap(&known, Some(Arc::clone(&opened)));
                    match &*found {
                        None => {
                            self.held.fetch_add(1, Relaxed);
                            return opened;
                        }
                        Some(account) if account.is(hash) => return Arc::clone(account),
                        Some(_) => {}
                    }
                }
            }
        }
        Arc::clone(&self.overflow)
    }

    /// The account of a name, if there is one.
    pub fn find(&self, name: &str) -> Option<Arc<Account<N>>> {
        let hash = self.hash(name);
        for place in self.from(hash) {
            match &*place.load() {
                Some(account) if account.is(hash) => return Some(Arc::clone(account)),
                Some(_) => {}
                None => return None,
            }
        }
        None
    }

    /// All accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = Arc<Account<N>>> + '_ {
        let places = self.places.iter().filter_map(ArcSwapOption::load_full);
        places.chain([Arc::clone(&self.overflow)])
    }

    /// Whether an account is the one that those share for whom there is no room.
    pub fn is_overflow(&self, account: &Account<N>) -> bool {
        std::ptr::eq(account, &*self.overflow)
    }

    /// How many accounts are open.
    pub fn len(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All places, from the one on where a name belongs.
    fn from(&self, hash: (u64, u64)) -> impl Iterator<Item = &ArcSwapOption<Account<N>>> {
        // A power of two, so that the rest of a division is a mask.
        let at = hash.0 & (self.places.len() as u64 - 1);
        let at = usize::try_from(at).unwrap_or(0);
        let (before, behind) = self.places.split_at_checked(at).unwrap_or((&[], &[]));
        behind.iter().chain(before)
    }

    /// SipHash-1-3 under a secret of the process: nobody outside can choose names that meet.
    fn hash(&self, name: &str) -> (u64, u64) {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(name.as_bytes());
        let hash = hasher.finish128();
        (hash.h1, hash.h2)
    }
}

impl<const N: usize> fmt::Debug for Ledger<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("room", &self.room)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}
