//! What is counted for whom.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Whom a limit counts for, as a number of 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where it is kept.
    pub(super) place: u64,
    /// What it is recognised by; never 0.
    pub(super) tag: u64,
}

/// Makes a key of parts.
///
/// SipHash-1-3 under a secret of the process: nobody outside can choose keys that meet. Two of `n`
/// live keys are mistaken for each other only where they share the tag of 63 bits and one of `b`
/// places: with a probability of about n² / (b · 2⁶⁴), which is 4·10⁻¹² for a million keys in a table
/// for a million.
pub struct KeyHasher(SipHasher13);

impl Key {
    /// Another key of the same caller: what else is known of it is kept there.
    #[must_use]
    pub const fn beside(self) -> Self {
        Self {
            place: self.place.rotate_left(32),
            tag: !self.tag | 1,
        }
    }

    /// What may be remembered of it, where 128 bits are too many; see [`numbered`](Self::numbered).
    pub const fn word(self) -> u64 {
        self.place ^ self.tag.rotate_left(17)
    }

    /// One of several keys about the same caller, known by a [`word`](Self::word). Two of them are
    /// mistaken for each other about as rarely as words are, for they are as evenly spread.
    #[must_use]
    pub const fn numbered(word: u64, number: u64) -> Self {
        let place = mixed(word.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        Self {
            place,
            tag: mixed(!place) | 1,
        }
    }

    /// Where it is kept.
    pub(crate) const fn place(self) -> u64 {
        self.place
    }

    /// What it is recognised by; never 0.
    pub(crate) const fn tag(self) -> u64 {
        self.tag
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): one to one, every bit depends on all.
const fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl KeyHasher {
    pub(crate) fn new(secret: (u64, u64)) -> Self {
        Self(SipHasher13::new_with_keys(secret.0, secret.1))
    }

    /// Takes in a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.write_u64(number);
        self
    }

    /// Takes in bytes. Their length counts too: `a`, `bc` and `ab`, `c` are two keys.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
        self
    }

    /// The key.
    pub fn finish(&self) -> Key {
        let hash = self.0.finish128();
        Key {
            place: hash.h1,
            tag: hash.h2 | 1,
        }
    }
}
