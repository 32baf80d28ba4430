//! Peak EWMA: of two random endpoints, the one whose next answer is expected sooner, from its
//! latency and the requests on their way (Finagle's `p2c.PeakEwma`).

use super::{Candidates, Draw};

/// What a request on its way to an endpoint without any known latency counts as: nothing is known
/// until it is answered, and until then others are better.
const UNKNOWN: f64 = 1e6;

/// One of the usable endpoints.
///
/// An endpoint that was never measured, or not for so long that its latency has decayed, and that
/// has nothing on its way costs nothing: it is tried, and measured by that.
pub(super) fn pick(draw: &mut Draw, from: &impl Candidates) -> Option<usize> {
    let (first, second) = draw.two(from)?;
    let Some(second) = second else {
        return Some(first);
    };
    Some(if cost(from, second) < cost(from, first) {
        second
    } else {
        first
    })
}

fn cost(from: &impl Candidates, index: usize) -> f64 {
    let load = f64::from(from.load(index));
    let latency = from.latency(index);
    let weight = f64::from(from.plan().weights().weight(index).max(1));
    if latency > 0.0 {
        latency * (load + 1.0) / weight
    } else {
        load * UNKNOWN / weight
    }
}
