//! Random choice by weight.

use super::{Candidates, Draw};

/// One of the usable endpoints.
pub(super) fn pick(draw: &mut Draw, from: &impl Candidates) -> Option<usize> {
    draw.one(from, None)
}
