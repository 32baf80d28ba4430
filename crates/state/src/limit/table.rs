//! The state of many keys, shared by all threads.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use portable_atomic::{AtomicU128, Ordering::SeqCst};

use super::{
    key::{Key, KeyHasher},
    rule::{Left, Refused, Rule},
};

/// The state of limits by key: one word each, changed by compare and swap, never locked.
///
/// Memory is bounded: keys have their places in groups of eight, 24 bytes each, and a table has
/// about two places for each key that it is made for. Where all eight are taken, a key that is idle
/// makes room, which loses nothing; where none is idle, the one that will be idle first, which is the
/// one that has spent least. So a flood of keys that are used once displaces its own, not those that
/// somebody spends much of. Memory is touched when keys come, not before.
///
/// Counting is exact as long as no key is displaced before it is idle. Two threads that meet a new
/// key in the same nanoseconds may claim a place each. So a claim holds nothing until it is settled:
/// until a look at the whole group, made after the claim, has found no other. Of two claims each must
/// see the other or be seen by it, and only one is settled.
pub struct Table {
    groups: Box<[Group]>,
    secret: (u64, u64),
    start: Instant,
    /// Nanoseconds since 1970 at the start.
    start_at: u64,
}

/// Keys that could take each other's place: two lines of the processor's cache, and one for their
/// times.
#[repr(align(64))]
struct Group {
    /// The tag in the upper half, the state in the lower. 0: free.
    places: [AtomicU128; WIDTH],
    /// When each is idle, in seconds since the start of the table, rounded up.
    idle: [AtomicU32; WIDTH],
}

const WIDTH: usize = 8;

/// The state of a place that is claimed and not settled; no rule has it.
const CLAIMED: u64 = u64::MAX;

/// What came of spending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// What is left, or why it was not admitted.
    pub outcome: Result<Left, Refused>,
    /// How many more keys are held than before.
    pub added: i8,
    /// How many keys were displaced that were not idle.
    pub displaced: u8,
}

/// What becomes of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<R> {
    /// It stays.
    Keep(R),
    /// It changes.
    To {
        /// The new state.
        state: u64,
        /// From when on that is worth no more than the state of a key never seen, in nanoseconds
        /// since 1970.
        idle_from: u64,
        /// What came of it.
        result: R,
    },
}

/// What came of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated<R> {
    /// What the change came to; `None` never happens in a table that has room for anything.
    pub result: Option<R>,
    /// How many more keys are held than before.
    pub added: i8,
    /// How many keys were displaced that were not idle.
    pub displaced: u8,
}

const NOTHING: Refused = Refused {
    remaining: 0,
    after: None,
};

impl Table {
    /// For about so many keys that are not idle.
    pub fn new(keys: usize) -> Self {
        let groups = keys.saturating_mul(2).div_ceil(WIDTH).max(1);
        let groups = groups.checked_next_power_of_two().unwrap_or(1 << 40);
        let zeroed = Box::<[Group]>::new_zeroed_slice(groups);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            // SAFETY: a group is made of atomic integers, for which all bits 0 are a value.
            groups: unsafe { zeroed.assume_init() },
            secret: (fastrand::u64(..), fastrand::u64(..)),
            start: Instant::now(),
            start_at: since.map_or(0, nanos),
        }
    }

    /// How many bytes it may come to take.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.groups)
    }

    /// The time that rules go by.
    pub fn now(&self) -> u64 {
        self.start_at.saturating_add(nanos(self.start.elapsed()))
    }

    /// Begins a key.
    pub fn key(&self) -> KeyHasher {
        KeyHasher::new(self.secret)
    }

    /// What spending would come to; nothing is changed.
    ///
    /// # Errors
    /// It would not be admitted.
    pub fn look(&self, key: Key, rule: &Rule, now: u64, cost: u64) -> Result<Left, Refused> {
        rule.spend(self.state(key), now, cost).map(|(_, left)| left)
    }

    /// Spends, if it is admitted.
    pub fn spend(&self, key: Key, rule: &Rule, now: u64, cost: u64) -> Spent {
        let updated = self.update(key, now, |state| match rule.spend(state, now, cost) {
            Err(refused) => Change::Keep(Err(refused)),
            Ok((next, left)) => Change::To {
                state: next,
                idle_from: rule.idle_from(next, now),
                result: Ok(left),
            },
        });
        Spent {
            outcome: updated.result.unwrap_or(Err(NOTHING)),
            added: updated.added,
            displaced: updated.displaced,
        }
    }

    /// Changes the state of a key, 0 for one never seen. `change` may be asked several times, where
    /// other threads change it meanwhile; only the last answer counts.
    #[inline]
    pub fn update<R>(&self, key: Key, now: u64, change: impl Fn(u64) -> Change<R>) -> Updated<R> {
        let mut updated = Updated {
            result: None,
            added: 0,
            displaced: 0,
        };
        let Some(group) = self.group(key) else {
            return updated;
        };
        loop {
            let Some((place, entry)) = group.find(key) else {
                if let Change::Keep(result) = change(0) {
                    updated.result = Some(result);
                    return updated;
                }
                group.claim(key, self.seconds(now), &mut updated);
                continue;
            };
            if state(entry) == CLAIMED {
                group.settle(key, place, &mut updated);
                continue;
            }
            match change(state(entry)) {
                Change::Keep(result) => {
                    updated.result = Some(result);
                    return updated;
                }
                Change::To {
                    state,
                    idle_from,
                    result,
                } => {
                    let idle = self.seconds(idle_from).saturating_add(1);
                    let next = pack(key, state.min(CLAIMED - 1));
                    if group.change(place, entry, next, idle) {
                        updated.result = Some(result);
                        return updated;
                    }
                }
            }
        }
    }

    /// The state of a key, 0 for one never seen.
    pub fn state(&self, key: Key) -> u64 {
        let found = self.group(key).and_then(|group| group.find(key));
        let state = found.map_or(0, |(_, entry)| state(entry));
        if state == CLAIMED { 0 } else { state }
    }

    /// Gives back what was spent and then not used.
    pub fn refund(&self, key: Key, rule: &Rule, now: u64, cost: u64) {
        let Some(group) = self.group(key) else { return };
        while let Some((place, entry)) = group.find(key)
            && state(entry) != CLAIMED
        {
            let next = pack(key, rule.refund(state(entry), now, cost));
            if group.swap(place, entry, next) {
                return;
            }
        }
    }

    fn group(&self, key: Key) -> Option<&Group> {
        // A power of two, so that the rest of a division is a mask.
        let place = key.place & (self.groups.len() as u64 - 1);
        self.groups.get(usize::try_from(place).ok()?)
    }

    /// Seconds since the start of the table.
    fn seconds(&self, at: u64) -> u32 {
        let since = at.saturating_sub(self.start_at) / 1_000_000_000;
        u32::try_from(since).unwrap_or(u32::MAX)
    }
}

impl Group {
    /// Where a key is, and its entry.
    fn find(&self, key: Key) -> Option<(usize, u128)> {
        self.entries().find(|(_, entry)| tag(*entry) == key.tag)
    }

    fn entries(&self) -> impl Iterator<Item = (usize, u128)> {
        let places = self.places.iter().enumerate();
        places.map(|(place, entry)| (place, entry.load(SeqCst)))
    }

    /// Claims a place for a key, or does nothing where another thread was faster.
    #[cold]
    fn claim<R>(&self, key: Key, seconds: u32, spent: &mut Updated<R>) {
        let idle = |place: usize| self.idle.get(place).map_or(0, |idle| idle.load(Relaxed));
        let worth = |(place, entry): &(usize, u128)| match *entry {
            0 => 0,
            _ => idle(*place).max(1),
        };
        let Some((place, entry)) = self.entries().min_by_key(worth) else {
            return;
        };
        let until = idle(place);
        let claimed = pack(key, CLAIMED);
        if !self.change(place, entry, claimed, seconds.saturating_add(1)) {
            return;
        }
        if entry == 0 {
            spent.added += 1;
        } else if until > seconds {
            spent.displaced += 1;
        }
        self.settle(key, place, spent);
    }

    /// Turns a claim into a place, or gives it up where there is another that goes first: one that
    /// is settled, else the first claim of the group.
    #[cold]
    fn settle<R>(&self, key: Key, place: usize, spent: &mut Updated<R>) {
        let claimed = pack(key, CLAIMED);
        let give_up = |place: usize, spent: &mut Updated<R>| {
            if self.swap(place, claimed, 0) {
                spent.added -= 1;
            }
        };
        for (other, entry) in self.entries() {
            if other == place || tag(entry) != key.tag {
                continue;
            }
            if other < place || entry != claimed {
                return give_up(place, spent);
            }
            give_up(other, spent);
        }
        // Fails where somebody else has settled it.
        self.swap(place, claimed, pack(key, 0));
    }

    /// Changes an entry, unless somebody else did. Until when it is not idle is noted before, so
    /// that nobody takes it for idle in between.
    fn change(&self, place: usize, from: u128, to: u128, idle: u32) -> bool {
        if let Some(known) = self.idle.get(place)
            && known.load(Relaxed) != idle
        {
            known.store(idle, Relaxed);
        }
        self.swap(place, from, to)
    }

    fn swap(&self, place: usize, from: u128, to: u128) -> bool {
        let entry = self.places.get(place);
        entry.is_some_and(|entry| entry.compare_exchange(from, to, SeqCst, SeqCst).is_ok())
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

const fn tag(entry: u128) -> u64 {
    (entry >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn state(entry: u128) -> u64 {
    entry as u64
}

fn pack(key: Key, state: u64) -> u128 {
    (u128::from(key.tag) << 64) | u128::from(state)
}
