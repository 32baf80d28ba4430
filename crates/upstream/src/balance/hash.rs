//! The hash that keys and endpoints meet in. Stable: the same on every machine, in every version,
//! so that all replicas agree and go on agreeing through upgrades.

/// Hashes bytes: FNV-1a (draft-eastlake-fnv), finished with MurmurHash3's `fmix64`, without which
/// neighbouring keys would stay neighbours.
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
