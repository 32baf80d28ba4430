//! Least request by power of two choices: of two random endpoints, the one with fewer requests on
//! their way (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996).

use super::{Candidates, Draw};

/// One of the usable endpoints.
///
/// Both candidates are drawn by weight and compared by load per weight, so that idle endpoints
/// share by weight and busy ones even out.
pub(super) fn pick(draw: &mut Draw, from: &impl Candidates) -> Option<usize> {
    let (first, second) = draw.two(from)?;
    let Some(second) = second else {
        return Some(first);
    };
    let weights = from.plan().weights();
    let cost = |index, other| u64::from(from.load(index)) * u64::from(weights.weight(other));
    Some(if cost(second, first) < cost(first, second) {
        second
    } else {
        first
    })
}
