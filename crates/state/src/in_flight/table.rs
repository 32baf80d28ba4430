//! Counts of many keys.

use std::{fmt, sync::OnceLock};

use tokio::sync::Notify;

use super::{
    count::{Bounds, Count, Room},
    group::{Group, WIDTH},
};
use crate::limit::{Key, KeyHasher};

/// How much is under way by key: one word each, changed by compare and swap, never locked.
///
/// Memory is bounded and touched when keys come. Only keys of which something is under way have a
/// place, so that there are never more than there are requests; where all eight places that a key
/// could have are taken, which takes tens of thousands of keys at once, it is not counted.
pub struct InFlight {
    groups: Box<[Group]>,
    /// One for each place; made when the first limit needs them.
    pub(super) lines: OnceLock<Box<[Notify]>>,
    secret: (u64, u64),
}

/// Where a key is counted, held by whoever has a place. To be given back once, by
/// [`leave`](InFlight::leave).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(
    /// Its number.
    pub u32,
);

/// What there is for somebody who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enter {
    /// A place.
    In(Place),
    /// None now, but room in the line; see [`wait`](InFlight::wait).
    Wait,
    /// None, and none in the line.
    Full,
    /// There is no room to count more keys.
    Uncounted,
}

impl InFlight {
    /// For so many keys at once, of which a few in a thousand are not counted where each has
    /// something under way. Takes 64 bytes for each, once they come.
    pub fn new(keys: usize) -> Self {
        let groups = keys.saturating_mul(4).div_ceil(WIDTH).max(1);
        let groups = groups.checked_next_power_of_two().unwrap_or(1 << 20);
        let zeroed = Box::<[Group]>::new_zeroed_slice(groups.min(1 << 20));
        Self {
            // SAFETY: a group is made of atomic integers, for which all bits 0 are a value.
            groups: unsafe { zeroed.assume_init() },
            lines: OnceLock::new(),
            secret: (fastrand::u64(..), fastrand::u64(..)),
        }
    }

    /// Makes it possible to wait: another 40 bytes or so for each place. Not for the request path.
    pub fn with_lines(&self) {
        let places = self.groups.len() * WIDTH;
        let lines = || (0..places).map(|_| Notify::new()).collect();
        self.lines.get_or_init(lines);
    }

    /// Begins a key.
    pub fn key(&self) -> KeyHasher {
        KeyHasher::new(self.secret)
    }

    /// Takes a place, if there is one and nobody waits for it.
    pub fn enter(&self, key: Key, bounds: Bounds) -> Enter {
        loop {
            let Some((place, count)) = self.find(key) else {
                return Enter::Uncounted;
            };
            match Count::read(count).arrive(bounds) {
                Room::Place(next) => {
                    if self.change(key, place, count, next) {
                        return Enter::In(place);
                    }
                }
                Room::Line(_) => return Enter::Wait,
                Room::None => return Enter::Full,
            }
        }
    }

    /// Gives a place back, or on to whoever has waited longest.
    pub fn leave(&self, place: Place, bounds: Bounds) {
        let grants = self.update(place, |count| Some(count.leave(bounds)));
        let lines = self.lines.get();
        if let Some(line) = lines.and_then(|lines| lines.get(place.index())) {
            (0..grants.unwrap_or(0)).for_each(|_| line.notify_one());
        }
    }

    /// How much of a key is under way, and how much waits.
    pub fn look(&self, key: Key) -> (u32, u32) {
        let count = self.group(key).map_or(0, |(_, group)| group.look(key));
        let Count { taken, waiting, .. } = Count::read(count);
        (taken, waiting)
    }

    pub(super) fn find(&self, key: Key) -> Option<(Place, u64)> {
        let (at, group) = self.group(key)?;
        let (place, count) = group.find(key)?;
        Some((Place(u32::try_from(at * WIDTH + place).ok()?), count))
    }

    pub(super) fn change(&self, key: Key, place: Place, from: u64, to: Count) -> bool {
        let group = self.groups.get(place.index() / WIDTH);
        group.is_some_and(|group| group.change(key, place.index() % WIDTH, from, to.word()))
    }

    /// Changes the count of a place that somebody holds or waits at.
    pub(super) fn update<T>(
        &self,
        place: Place,
        mut work: impl FnMut(Count) -> Option<(Count, T)>,
    ) -> Option<T> {
        let group = self.groups.get(place.index() / WIDTH)?;
        group.update(place.index() % WIDTH, |word| {
            work(Count::read(word)).map(|(next, result)| (next.word(), result))
        })
    }

    fn group(&self, key: Key) -> Option<(usize, &Group)> {
        // A power of two, so that the rest of a division is a mask.
        let at = key.place() & (self.groups.len() as u64 - 1);
        let at = usize::try_from(at).ok()?;
        Some((at, self.groups.get(at)?))
    }
}

impl Place {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}
