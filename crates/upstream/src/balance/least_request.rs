//! Least request by power of two choices: of two random endpoints, the one with fewer requests on
//! their way (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996).

use super::Candidates;

/// Both candidates are drawn by weight and compared by load per weight, so that idle endpoints
/// share by weight and busy ones even out.
#[derive(Debug)]
pub struct LeastRequest {
    random: fastrand::Rng,
}

/// Draws before the usable endpoints are counted instead.
const DRAWS: usize = 4;

impl LeastRequest {
    /// With a seed of the machine's.
    pub fn new() -> Self {
        Self {
            random: fastrand::Rng::new(),
        }
    }

    /// With a given seed: the same picks for the same questions.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// One of the usable endpoints.
    pub fn pick(&mut self, from: &impl Candidates) -> Option<usize> {
        let first = self.draw(from, None)?;
        let Some(second) = self.draw(from, Some(first)) else {
            return Some(first);
        };
        let cost =
            |index, other| u64::from(from.load(index)) * u64::from(from.weights().weight(other));
        Some(if cost(second, first) < cost(first, second) {
            second
        } else {
            first
        })
    }

    /// A usable endpoint other than `besides`, by weight.
    fn draw(&mut self, from: &impl Candidates, besides: Option<usize>) -> Option<usize> {
        let weights = from.weights();
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
        self.draw_counted(from, fits)
    }

    /// The same by counting, where few of the endpoints are left.
    fn draw_counted(
        &mut self,
        from: &impl Candidates,
        fits: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let open = || {
            from.weights()
                .each()
                .iter()
                .enumerate()
                .filter(|(index, weight)| **weight > 0 && fits(*index))
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
}

impl Default for LeastRequest {
    fn default() -> Self {
        Self::new()
    }
}
