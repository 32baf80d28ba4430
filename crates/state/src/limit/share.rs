//! What one of several replicas may spend of a limit.

use super::Rule;

impl Rule {
    /// What spending `cost` means to one of `replicas` that keep to a limit together, each with a
    /// count of its own: the rule to go by, and what to spend under it.
    ///
    /// It costs `replicas` times as much. So each replica admits its share of the rate and of the
    /// burst, and what it has spent stays spent when their number changes. Where the share is
    /// smaller than one request, as of a burst of 2 on 3 replicas, there is room for one: together
    /// they admit no more than `rate · t + max(burst, replicas · cost)` in any time `t`. A change of
    /// their number adds at most the share of the burst of those that have come or gone.
    #[must_use]
    pub fn share(&self, replicas: u32, cost: u64) -> (Self, u64) {
        if replicas <= 1 {
            return (*self, cost);
        }
        let weight = cost.saturating_mul(u64::from(replicas));
        if weight <= self.most() || cost > self.most() {
            return (*self, weight);
        }
        let raised = match self {
            Self::TokenBucket(rule) => Self::TokenBucket(rule.raised(weight)),
            Self::SlidingWindow(rule) => Self::SlidingWindow(rule.raised(weight)),
            Self::FixedWindow(rule) => Self::FixedWindow(rule.raised(weight)),
        };
        (raised, weight.min(raised.most()))
    }
}
