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

/// A hash as a fraction above 0.0 and up to 1.0, evenly spread.
pub fn fraction(hash: u64) -> f64 {
    // The upper 53 bits: as many as an f64 tells apart.
    ((hash >> 11) + 1) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_changes() {
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash(b"user-7"), hash(b"user-7"));
        assert_ne!(hash(b"user-7"), hash(b"user-8"));
    }

    #[test]
    fn fractions_span_the_unit_interval() {
        assert!(fraction(0) > 0.0);
        assert_eq!(fraction(u64::MAX), 1.0);
    }
}
