//! Drawing endpoints at random, by weight.

use super::Candidates;

/// Draws before the usable endpoints are counted instead.
const DRAWS: usize = 4;

/// A source of weighted random draws.
#[derive(Debug, Default)]
pub struct Draw {
    random: fastrand::Rng,
}

impl Draw {
    /// With a seed of the machine's.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a given seed: the same draws for the same questions.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Two different usable endpoints, as far as there are two. Both are drawn by weight.
    pub fn two(&mut self, from: &impl Candidates) -> Option<(usize, Option<usize>)> {
        let first = self.one(from, None)?;
        Some((first, self.one(from, Some(first))))
    }

    /// A usable endpoint other than `besides`, by weight.
    pub fn one(&mut self, from: &impl Candidates, besides: Option<usize>) -> Option<usize> {
        let weights = from.plan().weights();
        let total = weights.total();
        if total == 0 || (besides.is_some() && weights.len() == 1) {
            return None;
        }
        let fits = |index: usize| Some(index) != besides && from.usable(index);
        for _ in 0..DRAWS {
            let index = weights.at(self.random.u64(..total));
            if fits(index) {
                return Some(index);
            }
        }
        self.counted(from, fits)
    }

    /// The same by counting, where few of the endpoints are left.
    fn counted(&mut self, from: &impl Candidates, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let open = || {
            let weights = from.plan().weights().each().iter().enumerate();
            weights.filter(|(index, weight)| **weight > 0 && fits(*index))
        };
        let total: u64 = open().map(|(_, weight)| u64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        let mut point = self.random.u64(..total);
        for (index, weight) in open() {
            match point.checked_sub(u64::from(*weight)) {
                Some(rest) => point = rest,
                None => return Some(index),
            }
        }
        None
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.random.u64(..)
    }
}
