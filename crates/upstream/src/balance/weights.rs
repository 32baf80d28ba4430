//! Weights of endpoints, prepared for choosing by them.

use crate::service::greatest_common_divisor;

/// Weights in lowest terms, with their running sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    each: Box<[u32]>,
    sums: Box<[u64]>,
    equal: bool,
}

impl Weights {
    /// Brings weights into lowest terms.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let given: Vec<u32> = weights.into_iter().collect();
        let divisor = given.iter().fold(0, |divisor, weight| {
            greatest_common_divisor(divisor, u64::from(*weight))
        });
        let divisor = u32::try_from(divisor).unwrap_or(1).max(1);
        let each: Box<[u32]> = given.iter().map(|weight| weight / divisor).collect();
        let mut sum = 0;
        let sums = each
            .iter()
            .map(|weight| {
                sum += u64::from(*weight);
                sum
            })
            .collect();
        let equal = each.iter().all(|weight| *weight == 1);
        Self { each, sums, equal }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.each.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// All of them, in order.
    pub const fn each(&self) -> &[u32] {
        &self.each
    }

    /// One of them; 0 beyond the end.
    pub fn weight(&self, index: usize) -> u32 {
        self.each.get(index).copied().unwrap_or(0)
    }

    /// Their sum.
    pub fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// Whether all are 1, so that they can be left out of account.
    pub const fn are_equal(&self) -> bool {
        self.equal
    }

    /// The index that the `point`-th unit of weight belongs to; `point` is less than
    /// [`total`](Self::total).
    pub fn at(&self, point: u64) -> usize {
        self.sums.partition_point(|sum| *sum <= point)
    }
}
