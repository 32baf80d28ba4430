//! Round robin: every endpoint in turn, by weight.

use super::Candidates;

/// With equal weights a cursor; otherwise NGINX's smooth weighted round robin (its commit 52327e0,
/// 2012): over any `total` picks in a row each endpoint gets exactly its weight, spread as evenly
/// as possible. Costs one pass over the endpoints.
#[derive(Debug)]
pub struct RoundRobin {
    cursor: usize,
    /// How far each endpoint is behind (above zero) or ahead of its share.
    credits: Vec<i64>,
    /// Sum of the weights that the credits belong to.
    total: u64,
}

impl RoundRobin {
    /// Begins with the endpoint number `start`, counted around.
    pub const fn new(start: usize) -> Self {
        Self {
            cursor: start,
            credits: Vec::new(),
            total: 0,
        }
    }

    /// The next in turn that is usable.
    pub fn pick(&mut self, from: &impl Candidates) -> Option<usize> {
        if from.plan().weights().are_equal() {
            self.pick_equal(from)
        } else {
            self.pick_weighted(from)
        }
    }

    fn pick_equal(&mut self, from: &impl Candidates) -> Option<usize> {
        let len = from.plan().weights().len();
        for _ in 0..len {
            let index = self.cursor.checked_rem(len)?;
            self.cursor = index + 1;
            if from.usable(index) {
                return Some(index);
            }
        }
        None
    }

    fn pick_weighted(&mut self, from: &impl Candidates) -> Option<usize> {
        let weights = from.plan().weights().each();
        let sum = from.plan().weights().total();
        if self.credits.len() != weights.len() {
            self.begin(weights);
        } else if self.total != sum {
            self.rescale(sum);
        }
        self.total = sum;
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, (credit, weight)) in self.credits.iter_mut().zip(weights).enumerate() {
            if *weight == 0 || !from.usable(index) {
                continue;
            }
            *credit += i64::from(*weight);
            total += i64::from(*weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        if let Some(credit) = self.credits.get_mut(index) {
            *credit -= total;
        }
        Some(index)
    }

    /// Goes on with other weights: what was owed stays owed, in proportion. Weights change often
    /// while endpoints are ejected, or start slowly; beginning anew each time would favour the
    /// first.
    fn rescale(&mut self, total: u64) {
        let (old, new) = (i128::from(self.total.max(1)), i128::from(total));
        for credit in &mut self.credits {
            *credit = i64::try_from(i128::from(*credit) * new / old).unwrap_or(0);
        }
    }

    /// Starts a new cycle for another set of endpoints, at this worker's own place in it: credits
    /// as they would stand after `cursor` picks.
    fn begin(&mut self, weights: &[u32]) {
        self.credits.clear();
        self.credits.resize(weights.len(), 0);
        let total: i64 = weights.iter().copied().map(i64::from).sum();
        let steps = self.cursor.min(64);
        for _ in 0..steps {
            let mut best: Option<(usize, i64)> = None;
            for (index, (credit, weight)) in self.credits.iter_mut().zip(weights).enumerate() {
                *credit += i64::from(*weight);
                if best.is_none_or(|(_, most)| *credit > most) {
                    best = Some((index, *credit));
                }
            }
            if let Some(credit) = best.and_then(|(index, _)| self.credits.get_mut(index)) {
                *credit -= total;
            }
        }
    }
}
