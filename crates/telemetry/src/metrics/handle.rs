//! Handles to single series of one worker.

use std::{marker::PhantomData, rc::Rc, sync::Arc, time::Duration};

use super::block::Series;

/// A series with its kind checked when it was made, tied to its worker's thread.
#[derive(Clone)]
pub(crate) struct Handle {
    series: Arc<Series>,
    /// Keeps the handle on its worker's thread: the cell has one writer.
    thread: PhantomData<Rc<()>>,
}

impl Handle {
    pub(crate) fn new(series: Arc<Series>) -> Self {
        Self {
            series,
            thread: PhantomData,
        }
    }
}

/// A counter that one worker adds to.
#[derive(Clone)]
pub struct WorkerCounter(pub(crate) Handle);

impl WorkerCounter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if let Some(counter) = self.0.series.cell.counter() {
            counter.add(n);
        }
    }
}

/// A gauge that one worker moves.
#[derive(Clone)]
pub struct WorkerGauge(pub(crate) Handle);

impl WorkerGauge {
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        if let Some(gauge) = self.0.series.cell.gauge() {
            gauge.add(n);
        }
    }

    /// Sets this worker's part.
    pub fn set(&self, value: i64) {
        if let Some(gauge) = self.0.series.cell.gauge() {
            gauge.set(value);
        }
    }
}

/// A histogram that one worker records in.
#[derive(Clone)]
pub struct WorkerHistogram(pub(crate) Handle);

impl WorkerHistogram {
    /// Records one time.
    pub fn record(&self, time: Duration) {
        if let Some(histogram) = self.0.series.cell.histogram() {
            histogram.record(time);
        }
    }
}
