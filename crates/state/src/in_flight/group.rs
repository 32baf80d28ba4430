//! The places where keys could be.

use portable_atomic::{AtomicU128, Ordering::SeqCst};

use crate::limit::Key;

/// Places for keys that meet, two lines of the processor's cache. An entry has the tag of its key in
/// the upper half and its count in the lower; 0: free.
///
/// A key has one place at most: of two claims for it, made by two threads at once, each must see the
/// other or be seen by it, and only one is settled. Nothing is counted in a claim before that. Nobody
/// is displaced: a place is free again when nothing of its key is under way.
#[repr(align(128))]
pub(super) struct Group {
    places: [AtomicU128; WIDTH],
}

pub(super) const WIDTH: usize = 8;

/// The count of a place that is claimed and not settled; no key has it.
const CLAIMED: u64 = u64::MAX;

impl Group {
    /// Where a key is, and its count. Claims a place for a key that has none; `None` where none is
    /// free.
    pub(super) fn find(&self, key: Key) -> Option<(usize, u64)> {
        loop {
            let known = self.entries().find(|(_, entry)| tag(*entry) == key.tag());
            match known {
                Some((place, entry)) if count(entry) == CLAIMED => self.settle(key, place),
                Some((place, entry)) => return Some((place, count(entry))),
                None => {
                    let (free, _) = self.entries().find(|(_, entry)| *entry == 0)?;
                    if self.swap(free, 0, pack(key.tag(), CLAIMED)) {
                        self.settle(key, free);
                    }
                }
            }
        }
    }

    /// The count of a key.
    pub(super) fn look(&self, key: Key) -> u64 {
        let known = self.entries().find(|(_, entry)| tag(*entry) == key.tag());
        let count = known.map_or(0, |(_, entry)| count(entry));
        if count == CLAIMED { 0 } else { count }
    }

    /// Changes the count of a key, if it still is what it was.
    pub(super) fn change(&self, key: Key, place: usize, from: u64, to: u64) -> bool {
        self.swap(place, pack(key.tag(), from), pack(key.tag(), to))
    }

    /// Changes the count of a place whose key can't go away meanwhile, because something of it is
    /// under way or waits. Frees it where the count becomes 0.
    pub(super) fn update<T>(
        &self,
        place: usize,
        mut work: impl FnMut(u64) -> Option<(u64, T)>,
    ) -> Option<T> {
        let place = self.places.get(place)?;
        let mut entry = place.load(SeqCst);
        loop {
            let (next, result) = work(count(entry))?;
            let next = match next {
                0 => 0,
                next => pack(tag(entry), next),
            };
            match place.compare_exchange_weak(entry, next, SeqCst, SeqCst) {
                Ok(_) => return Some(result),
                Err(other) => entry = other,
            }
        }
    }

    /// Turns a claim into a place, or gives it up where there is another that goes first: one that
    /// is settled, else the first claim of the group.
    #[cold]
    fn settle(&self, key: Key, place: usize) {
        let claimed = pack(key.tag(), CLAIMED);
        for (other, entry) in self.entries() {
            if other == place || tag(entry) != key.tag() {
                continue;
            }
            if other < place || entry != claimed {
                self.swap(place, claimed, 0);
                return;
            }
            self.swap(other, claimed, 0);
        }
        // Fails where somebody else has settled it.
        self.swap(place, claimed, pack(key.tag(), 0));
    }

    fn entries(&self) -> impl Iterator<Item = (usize, u128)> {
        let places = self.places.iter().enumerate();
        places.map(|(place, entry)| (place, entry.load(SeqCst)))
    }

    fn swap(&self, place: usize, from: u128, to: u128) -> bool {
        let place = self.places.get(place);
        place.is_some_and(|place| place.compare_exchange(from, to, SeqCst, SeqCst).is_ok())
    }
}

const fn pack(tag: u64, count: u64) -> u128 {
    (tag as u128) << 64 | count as u128
}

const fn tag(entry: u128) -> u64 {
    (entry >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn count(entry: u128) -> u64 {
    entry as u64
}
