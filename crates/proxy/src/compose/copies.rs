//! The last good answers of a leg, for when its service has none.
//!
//! All workers share them. None of them waits to put one in: where another is at it, the copy stays
//! as old as it is.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use lintel_state::Memory;

/// Requests of different kinds seldom meet in one of so many parts.
const PARTS: usize = 8;

/// What a copy takes beside its request and its value, in bytes.
const OVERHEAD: usize = 160;

/// The last good answers of a leg.
pub struct Copies {
    spec: CopiesSpec,
    parts: [Mutex<Memory<Key, Copy>>; PARTS],
    /// Who knows it not can't choose where a request lands.
    salt: [u8; 16],
    since: Instant,
}

/// What is kept, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiesSpec {
    /// What the leg is, in any words: where they are the same in another configuration, copies live
    /// on.
    pub of: String,
    /// How old a copy may be.
    pub max_age: Duration,
    /// How much all copies together may take, in bytes.
    pub max_size: usize,
}

/// The SHA-256 of what an answer depends on: among it are tokens, which are not to lie around, and a
/// copy is never somebody else's by chance.
type Key = [u8; 32];

struct Copy {
    value: Bytes,
    /// When it was good, in milliseconds.
    at: u64,
}

impl Copies {
    /// Those of the configuration before, where they are of the same leg.
    pub fn build(spec: CopiesSpec, before: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(before) = before.filter(|before| before.spec == spec) {
            return Arc::clone(before);
        }
        let part = spec.max_size / PARTS;
        Arc::new(Self {
            spec,
            parts: std::array::from_fn(|_| Mutex::new(Memory::new(part))),
            salt: fastrand::u128(..).to_le_bytes(),
            since: Instant::now(),
        })
    }

    /// What was asked for.
    pub const fn spec(&self) -> &CopiesSpec {
        &self.spec
    }

    fn millis(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.since);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn key(&self, of: &[u8]) -> Option<(Key, &Mutex<Memory<Key, Copy>>)> {
        let mut digest = Context::new(&SHA256);
        digest.update(&self.salt);
        digest.update(of);
        let key = Key::try_from(digest.finish().as_ref()).ok()?;
        let part = key.first().map(|byte| usize::from(*byte) % PARTS)?;
        Some((key, self.parts.get(part)?))
    }

    /// This is the answer now.
    pub fn put(&self, key: &[u8], value: &Bytes, now: Instant) {
        let Some((key, part)) = self.key(key) else {
            return;
        };
        let Ok(mut part) = part.try_lock() else {
            return;
        };
        let at = self.millis(now);
        let known = part.find(&key, at).map(|copy| &copy.value);
        // Copied, so that it does not keep alive the buffer that it was read into.
        let value = match known.filter(|known| *known == value) {
            Some(known) => known.clone(),
            None => Bytes::copy_from_slice(value),
        };
        let size = value.len() + OVERHEAD;
        let max_age = u64::try_from(self.spec.max_age.as_millis()).unwrap_or(u64::MAX);
        part.remember(key, Copy { value, at }, at.saturating_add(max_age), size);
    }

    /// The last good answer, and how old it is.
    pub fn find(&self, key: &[u8], now: Instant) -> Option<(Bytes, Duration)> {
        let (key, part) = self.key(key)?;
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.millis(now);
        let copy = part.find(&key, now)?;
        let age = Duration::from_millis(now.saturating_sub(copy.at));
        Some((copy.value.clone(), age))
    }

    /// There is none any more: the service said so.
    pub fn forget(&self, key: &[u8]) {
        let Some((key, part)) = self.key(key) else {
            return;
        };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = Copy {
            value: Bytes::new(),
            at: 0,
        };
        part.remember(key, nothing, 0, OVERHEAD);
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn spec(max_size: usize) -> CopiesSpec {
        CopiesSpec {
            of: "recs".to_owned(),
            max_age: Duration::from_secs(60),
            max_size,
        }
    }

    #[test]
    fn a_copy_is_of_its_request_and_grows_too_old() {
        let copies = Copies::build(spec(1 << 20), None);
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        copies.put(b"ada", &Bytes::from_static(b"1"), later(0));
        copies.put(b"bob", &Bytes::from_static(b"2"), later(30));
        let found = copies.find(b"ada", later(59)).unwrap();
        assert_eq!((&*found.0, found.1.as_secs()), (&b"1"[..], 59));
        assert!(copies.find(b"ada", later(61)).is_none());
        assert_eq!(&*copies.find(b"bob", later(61)).unwrap().0, b"2");
        assert!(copies.find(b"eve", later(0)).is_none());
        // The same again is as good as new.
        copies.put(b"bob", &Bytes::from_static(b"2"), later(70));
        assert_eq!(copies.find(b"bob", later(100)).unwrap().1.as_secs(), 30);
        copies.forget(b"bob");
        assert!(copies.find(b"bob", later(100)).is_none());
    }

    #[test]
    fn copies_are_bounded() {
        let copies = Copies::build(spec(64 << 10), None);
        let now = Instant::now();
        let value = Bytes::from(vec![b'1'; 1000]);
        for user in 0..1000u32 {
            copies.put(&user.to_be_bytes(), &value, now);
        }
        let held = (0..1000u32).filter(|user| copies.find(&user.to_be_bytes(), now).is_some());
        assert!((1..=64).contains(&held.count()));
        copies.put(b"x", &Bytes::from(vec![b'1'; 9000]), now);
        assert!(copies.find(b"x", now).is_none());
    }

    #[test]
    fn copies_outlive_a_change_elsewhere() {
        let copies = Copies::build(spec(1 << 20), None);
        assert!(Arc::ptr_eq(
            &copies,
            &Copies::build(spec(1 << 20), Some(&copies))
        ));
        let other = CopiesSpec {
            of: "other".to_owned(),
            ..spec(1 << 20)
        };
        assert!(!Arc::ptr_eq(&copies, &Copies::build(other, Some(&copies))));
    }
}
