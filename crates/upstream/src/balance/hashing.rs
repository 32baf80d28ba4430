//! Consistent hashing: requests with the same key go to the same endpoint as long as it is there.

use lintel_kernel::hash::mix;

use super::{Bound, Candidates, Draw, Maglev, Ring};

/// The order in which every key prefers the endpoints of one set.
#[derive(Debug)]
pub enum Table {
    /// Even to within 1 %; a change moves a few keys more than it must.
    Maglev(Maglev),
    /// Even to within some 10 %; a change moves no key that it need not.
    Ring(Ring),
}

/// The endpoint that a key belongs to among the usable ones.
///
/// Tables know all endpoints, healthy or not: where one is out, its keys alone move, and they come
/// back with it. With priorities or zones in use the key also decides which of these it goes to.
pub(super) fn pick(
    table: &Table,
    headroom: Option<f64>,
    key: u64,
    draw: &mut Draw,
    from: &impl Candidates,
) -> Option<usize> {
    let plan = from.plan();
    let tier = plan.tier_at(mix(key ^ 0x9e37_79b9_7f4a_7c15));
    let bound = headroom.map(|headroom| {
        let members = || (0..plan.len()).filter(|index| plan.is_in(*index, tier));
        let loads = members().map(|index| u64::from(from.load(index))).sum();
        let weights = members()
            .map(|index| u64::from(plan.weights().weight(index)))
            .sum();
        Bound::new(headroom, loads, weights)
    });
    let fits = |index: &usize| {
        let weight = plan.weights().weight(*index);
        plan.is_in(*index, tier)
            && from.usable(*index)
            && bound.is_none_or(|bound| bound.allows(from.load(*index), weight))
    };
    // Endpoints come up about once in as many steps as there are of them; beyond this there is
    // hardly one left, and looking at the whole table would cost more than it is worth.
    let steps = 64 + 16 * plan.len();
    let found = match table {
        Table::Maglev(table) => table.walk(key).take(steps).find(fits),
        Table::Ring(ring) => ring.walk(key).take(steps).find(fits),
    };
    found.or_else(|| draw.one(from, None))
}
