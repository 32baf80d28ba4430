//! Handles for control threads: any thread may write, with an atomic read-modify-write.

use std::sync::Arc;

use super::block::Series;

/// A counter that any thread may add to. Not for the request path.
#[derive(Clone)]
pub struct SharedCounter(pub(crate) Arc<Series>);

impl SharedCounter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if let Some(counter) = self.0.cell.counter() {
            counter.add_shared(n);
        }
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.cell.counter().map_or(0, |counter| counter.value())
    }
}

/// A gauge that any thread may set. Not for the request path.
#[derive(Clone)]
pub struct SharedGauge(pub(crate) Arc<Series>);

impl SharedGauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        if let Some(gauge) = self.0.cell.gauge() {
            gauge.set(value);
        }
    }

    /// The value last set.
    pub fn value(&self) -> i64 {
        self.0.cell.gauge().map_or(0, |gauge| gauge.value())
    }
}
