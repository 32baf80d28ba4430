//! Limits on how much is done at once. Nothing waits here: what does not fit is refused.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Counts what is under way, over all workers.
#[derive(Debug, Default)]
pub struct Bulkhead(AtomicU32);

/// A place in a [`Bulkhead`]; given back on drop.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Entered(Arc<Bulkhead>);

impl Bulkhead {
    /// Takes a place, unless `limit` of them are taken.
    pub fn enter(self: &Arc<Self>, limit: u32) -> Option<Entered> {
        // Counted first and taken back if it was too much: the limit holds at every moment but for
        // those who are just being refused, and nobody has to try twice.
        if self.0.fetch_add(1, Ordering::Relaxed) >= limit {
            self.0.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Entered(Arc::clone(self)))
    }

    /// Places taken.
    pub fn taken(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn places_are_given_back() {
        let bulkhead = Arc::new(Bulkhead::default());
        let (first, _second) = (bulkhead.enter(2).unwrap(), bulkhead.enter(2).unwrap());
        assert!(bulkhead.enter(2).is_none());
        assert_eq!(bulkhead.taken(), 2);
        drop(first);
        assert!(bulkhead.enter(2).is_some());
        assert!(bulkhead.enter(0).is_none());
    }

    #[test]
    fn threads_never_have_more_than_the_limit() {
        let bulkhead = Arc::new(Bulkhead::default());
        let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if let Some(_entered) = bulkhead.enter(3) {
                            most.fetch_max(
                                inside.fetch_add(1, Ordering::SeqCst) + 1,
                                Ordering::SeqCst,
                            );
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(bulkhead.taken(), 0);
    }
}
