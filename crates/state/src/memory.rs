//! What was found out before.

use std::{hash::Hash, mem};

use rustc_hash::FxHashMap;

/// Values by key, each until a time, all together within a bound of bytes.
///
/// Two generations take turns: what is new or used goes into the young one; when that has reached
/// half of the bound it becomes the old one, and what was in the old one and was not used since is
/// gone. So the least used go first, at a constant cost and without a list.
#[derive(Debug)]
pub struct Memory<K, V> {
    young: FxHashMap<K, Kept<V>>,
    old: FxHashMap<K, Kept<V>>,
    /// Bytes held by the young.
    size: usize,
    /// Bytes that one generation may hold.
    room: usize,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    /// In the caller's unit of time.
    until: u64,
    size: usize,
}

impl<K: Hash + Eq, V> Memory<K, V> {
    /// Holds about `bytes` at most, as the caller counts them.
    pub fn new(bytes: usize) -> Self {
        Self {
            young: FxHashMap::default(),
            old: FxHashMap::default(),
            size: 0,
            room: bytes / 2,
        }
    }

    /// What is known of a key at a time; `until` itself is too late.
    pub fn find(&mut self, key: &K, now: u64) -> Option<&V>
    where
        K: Clone,
    {
        if !self.young.contains_key(key) {
            let kept = self.old.remove(key)?;
            self.keep(key.clone(), kept);
        }
        self.young
            .get(key)
            .filter(|kept| now < kept.until)
            .map(|kept| &kept.value)
    }

    /// Remembers a value until a time. `size` is what it costs, in bytes, its key included.
    pub fn remember(&mut self, key: K, value: V, until: u64, size: usize) {
        self.old.remove(&key);
        self.keep(key, Kept { value, until, size });
    }

    /// Forgets what was not used since this was last called, or since there was no room for more.
    pub fn turn(&mut self) {
        self.old = mem::take(&mut self.young);
        self.size = 0;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.size = 0;
    }

    /// How many values are held, those among them whose time has passed.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(&mut self, key: K, kept: Kept<V>) {
        let size = kept.size;
        if size > self.room {
            if let Some(before) = self.young.remove(&key) {
                self.size -= before.size;
            }
            return;
        }
        if self.size + size > self.room {
            self.turn();
            self.old.remove(&key);
        }
        self.size += size;
        if let Some(before) = self.young.insert(key, kept) {
            self.size -= before.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut memory = Memory::new(20);
        for key in 0..1000 {
            memory.remember(key, (), u64::MAX, 1);
            assert!(memory.find(&0, 0).is_some(), "after {key}");
        }
        assert!(memory.find(&1, 0).is_none());
        assert!(memory.find(&999, 0).is_some());
    }

    #[test]
    fn nothing_is_known_from_its_time_on() {
        let mut memory = Memory::new(20);
        memory.remember('a', 1, 100, 1);
        assert_eq!(memory.find(&'a', 99), Some(&1));
        assert_eq!(memory.find(&'a', 100), None);
    }

    #[test]
    fn what_is_not_used_between_two_turns_is_gone() {
        let mut memory = Memory::new(20);
        memory.remember('a', 1, 100, 1);
        memory.remember('b', 2, 100, 1);
        memory.turn();
        assert_eq!(memory.find(&'a', 0), Some(&1));
        memory.turn();
        assert_eq!(memory.len(), 1);
        assert_eq!(memory.find(&'a', 0), Some(&1));
        assert_eq!(memory.find(&'b', 0), None);
    }

    #[test]
    fn what_is_too_large_is_not_held() {
        let mut memory = Memory::new(20);
        memory.remember('a', 1, 100, 1);
        memory.remember('a', 2, 100, 11);
        assert_eq!(memory.find(&'a', 0), None);
        assert!(memory.is_empty());
    }

    proptest! {
        /// It never holds more than its bound, nor tells of a value that is not the last one.
        #[test]
        fn bounded_and_true(steps in prop::collection::vec((0u8..20, 0usize..9, any::<bool>()), 0..400)) {
            let mut memory = Memory::new(30);
            let mut last = std::collections::HashMap::new();
            for (at, (key, size, write)) in steps.into_iter().enumerate() {
                if write {
                    memory.remember(key, at, u64::MAX, size);
                    last.insert(key, at);
                } else if let Some(value) = memory.find(&key, 0) {
                    prop_assert_eq!(last.get(&key), Some(value));
                }
                let held = |map: &FxHashMap<u8, Kept<usize>>| map.values().map(|kept| kept.size).sum::<usize>();
                prop_assert_eq!(held(&memory.young), memory.size);
                prop_assert!(held(&memory.young) <= 15 && held(&memory.old) <= 15);
            }
        }
    }
}
