//! The process-wide side: knows every worker's cells and renders them.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
    mpsc::{self, Sender},
};

use super::{
    WorkerMetrics,
    block::Registration,
    family::Family,
    life,
    process::ProcessMetrics,
    registry::Registry,
    render,
    shared::{SharedCounter, SharedGauge},
};

/// Label sets one worker may have at once, where [`Catalogue::with_budget`] says nothing else.
pub const DEFAULT_BUDGET: usize = 100_000;

/// All metrics of the process.
pub struct Catalogue {
    /// Workers reach it through this channel only, so a scrape holding the lock holds up no one
    /// but other scrapes and reloads.
    registry: Mutex<Registry>,
    news: Sender<Registration>,
    retirements: AtomicU64,
    workers: AtomicU64,
    budget: usize,
    process: ProcessMetrics,
}

impl Catalogue {
    /// With the [default budget](DEFAULT_BUDGET) of label sets.
    pub fn new() -> Arc<Self> {
        Self::with_budget(DEFAULT_BUDGET)
    }

    /// With a budget of label sets a worker. Beyond it, routes and services share the series
    /// labelled [`(overflow)`](super::family::OVERFLOW), and `lintel_metrics_overflow_total` counts.
    pub fn with_budget(budget: usize) -> Arc<Self> {
        let (news, inbox) = mpsc::channel();
        let mut registry = Registry::new(inbox);
        Arc::new(Self {
            process: ProcessMetrics::new(&mut registry),
            registry: Mutex::new(registry),
            news,
            retirements: AtomicU64::new(0),
            workers: AtomicU64::new(0),
            budget,
        })
    }

    /// The metrics of one more worker, to be kept on its thread.
    pub fn worker(self: &Arc<Self>) -> WorkerMetrics {
        WorkerMetrics::new(self.clone(), self.news.clone(), self.budget)
    }

    /// What is counted for the process as a whole.
    pub fn process(&self) -> &ProcessMetrics {
        &self.process
    }

    /// A counter for control threads. Several handles to the same labels share one cell. `values`
    /// are the label values in the family's order. Does nothing if the family is not a counter.
    pub fn counter(&self, family: &'static Family, values: &[&str]) -> SharedCounter {
        SharedCounter(self.lock().shared(family, values))
    }

    /// A gauge for control threads, on the same terms.
    pub fn gauge(&self, family: &'static Family, values: &[&str]) -> SharedGauge {
        SharedGauge(self.lock().shared(family, values))
    }

    /// Ends a series of a control thread, for labels that will not come again. Handles to it that
    /// are left count into nothing.
    pub fn forget(&self, family: &'static Family, values: &[&str]) {
        self.lock().forget(family, values);
    }

    /// Ends a series of control threads, so that it does not show a value for ever that nobody
    /// keeps up any more. To be called by whoever drops a handle to it; it stays while others than
    /// the caller hold one.
    pub fn release(&self, family: &'static Family, values: &[&str]) {
        self.lock().release(family, values);
    }

    /// Appends all metrics to `out`: OpenMetrics 1.0 or the Prometheus text format 0.0.4, see
    /// [`OPENMETRICS`](super::OPENMETRICS) and [`PROMETHEUS_TEXT`](super::PROMETHEUS_TEXT) for
    /// their media types. Reads a few files in `/proc`. Takes milliseconds for each thousand
    /// routes; call it on a control thread.
    pub fn render(&self, out: &mut Vec<u8>, openmetrics: bool) {
        let mut registry = self.lock();
        self.absorb(&mut registry, life::now());
        render::render(&registry, self.workers.load(Relaxed), out, openmetrics);
    }

    /// Takes in new series and drops those unused [for long](super::RETIRE_AFTER). A scrape does
    /// so itself; call it at each reload, for processes that are never scraped.
    pub fn housekeep(&self) {
        self.absorb(&mut self.lock(), life::now());
    }

    fn absorb(&self, registry: &mut Registry, now: u64) {
        registry.absorb();
        let retired = registry.retire(now);
        self.retirements.fetch_add(retired, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // A panic while rendering leaves the registry whole: rendering only reads it.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn retirements(&self) -> u64 {
        self.retirements.load(Relaxed)
    }

    pub(crate) fn worker_started(&self) {
        self.workers.fetch_add(1, Relaxed);
    }

    pub(crate) fn worker_stopped(&self) {
        self.workers.fetch_sub(1, Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn absorb_at(&self, now: u64) {
        self.absorb(&mut self.lock(), now);
    }
}

const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Catalogue>();
};
