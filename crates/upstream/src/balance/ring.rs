//! A hash ring (Karger et al., "Consistent Hashing and Random Trees", STOC 1997), with many points
//! for each endpoint as in libketama.

use lintel_kernel::hash::mix;

/// Points of an endpoint of average weight (libketama's 40 times 4).
const POINTS: u64 = 160;
/// Points of the whole ring, at most.
const LIMIT: u64 = 1 << 20;

/// Which endpoint a key belongs to.
#[derive(Debug)]
pub struct Ring {
    /// In the order of their places.
    points: Box<[(u64, u32)]>,
}

impl Ring {
    /// A ring for endpoints with these identities and weights. Those of weight 0 are left out.
    pub fn new(endpoints: &[(u64, u32)]) -> Self {
        let weighted = || (0..).zip(endpoints).filter(|(_, (_, weight))| *weight > 0);
        let total: u64 = weighted().map(|(_, (_, weight))| u64::from(*weight)).sum();
        let count = u64::try_from(weighted().count()).unwrap_or(u64::MAX);
        let all = (count.saturating_mul(POINTS)).min(LIMIT);
        let mut points: Vec<(u64, u32)> = Vec::new();
        for (index, (id, weight)) in weighted() {
            let own = (u64::from(*weight) * all).div_ceil(total.max(1)).max(1);
            // The first points are the same whatever their number, so that a changed weight moves
            // only what it has to.
            points.extend((0..own).map(|nth| (mix(id ^ mix(nth + 1)), index)));
        }
        points.sort_unstable();
        Self {
            points: points.into_boxed_slice(),
        }
    }

    /// Endpoints in the order in which a key meets them, clockwise, with repetitions, each at least
    /// once.
    pub fn walk(&self, key: u64) -> impl Iterator<Item = usize> {
        let key = mix(key);
        let start = self.points.partition_point(|(place, _)| *place < key);
        let (before, from) = self.points.split_at_checked(start).unwrap_or_default();
        from.iter().chain(before).map(|(_, index)| *index as usize)
    }
}
