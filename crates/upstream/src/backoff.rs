//! Pauses between tries at something that fails.

use std::time::Duration;

/// Exponential backoff with full jitter: each pause is a random part of a bound that doubles
/// (M. Brooker, "Exponential Backoff and Jitter", 2015), so that replicas that lost the same server
/// do not come back to it together.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    bound: Duration,
}

impl Backoff {
    /// Bounds from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            bound: first,
        }
    }

    /// Begins again with the shortest.
    pub const fn reset(&mut self) {
        self.bound = self.first;
    }

    /// The next pause: at least a tenth of the bound, so that nothing is asked without a pause.
    pub fn pause(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = (bound * 2).min(self.longest);
        bound.mul_f64(fastrand::f64().mul_add(0.9, 0.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_again() {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(30));
        for _ in 0..100 {
            let mut backoff = Backoff::new(first, longest);
            for doubled in 0..10 {
                let bound = (first * 2_u32.pow(doubled)).min(longest);
                let pause = backoff.pause();
                assert!(
                    pause <= bound && pause >= bound / 11,
                    "{pause:?} of {bound:?}"
                );
            }
            backoff.reset();
            assert!(backoff.pause() <= first);
        }
    }
}
