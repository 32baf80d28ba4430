//! The hash that keys, variants and endpoints meet in.
//!
//! Stable: the same on every machine and in every version, so that all replicas agree, and go on
//! agreeing through upgrades. No defence against chosen keys: who picks their key picks where they
//! land.

/// Hashes bytes: FNV-1a (draft-eastlake-fnv), finished with [`mix`], without which neighbouring
/// keys would stay neighbours.
pub fn hash(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    mix(bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    }))
}

/// MurmurHash3's `fmix64`: a bijection in which every bit of the input moves every bit of the
/// output.
pub const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Hashes bytes as they come; where they are cut into pieces makes no difference. Eight at a time:
/// for bodies, where [`hash`] would be slow. Tells apart what differs by accident, not by intent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Digest {
    state: u64,
    length: u64,
    /// Bytes that do not make eight yet; `length` tells how many.
    rest: [u8; 8],
}

impl Digest {
    /// Takes in a piece.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let held = usize::try_from(self.length % 8).unwrap_or(0);
        self.length += bytes.len() as u64;
        if held > 0 {
            let (filling, after) = bytes.split_at(bytes.len().min(8 - held));
            for (slot, byte) in self.rest.iter_mut().skip(held).zip(filling) {
                *slot = *byte;
            }
            bytes = after;
            if held + filling.len() < 8 {
                return;
            }
            self.word(u64::from_le_bytes(self.rest));
        }
        let (words, after) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        for (slot, byte) in self.rest.iter_mut().zip(after) {
            *slot = *byte;
        }
    }

    const fn word(&mut self, word: u64) {
        self.state = (self.state ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    /// The hash of everything so far.
    pub fn finish(&self) -> u64 {
        let held = self.length % 8;
        // Of `rest` only the first bytes count.
        let mask = (1u64 << (held * 8)) - 1;
        let mut last = *self;
        last.word(u64::from_le_bytes(self.rest) & mask);
        mix(last.state ^ self.length)
    }
}

/// A hash as a fraction above 0.0 and up to 1.0, evenly spread.
pub fn fraction(hash: u64) -> f64 {
    // The upper 53 bits: as many as an f64 tells apart.
    ((hash >> 11) + 1) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn never_changes() {
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash(b"user-7"), hash(b"user-7"));
        assert_ne!(hash(b"user-7"), hash(b"user-8"));
    }

    #[test]
    fn pieces_make_no_difference() {
        let text: Vec<u8> = (0..100).collect();
        let mut whole = Digest::default();
        whole.update(&text);
        for size in 1..40 {
            let mut pieces = Digest::default();
            text.chunks(size).for_each(|piece| pieces.update(piece));
            assert_eq!(pieces.finish(), whole.finish(), "{size}");
        }
        for place in 0..text.len() {
            let mut other = text.clone();
            other[place] ^= 1;
            let mut digest = Digest::default();
            digest.update(&other);
            assert_ne!(digest.finish(), whole.finish(), "{place}");
        }
        let mut longer = whole;
        longer.update(&[0]);
        assert_ne!(longer.finish(), whole.finish());
    }

    #[test]
    fn fractions_span_the_unit_interval() {
        assert!(fraction(0) > 0.0);
        assert_eq!(fraction(u64::MAX), 1.0);
    }
}
