//! What is counted for a service.

use std::{rc::Rc, sync::Arc, time::Duration};

use super::{
    block::{Block, Registration, ServiceCells},
    family::{
        Family, UPSTREAM_BREAKER_TRANSITIONS, UPSTREAM_CONNECT_FAILURES, UPSTREAM_HEDGES,
        UPSTREAM_HEDGES_WON, UPSTREAM_RETRIES, UPSTREAM_RETRY_BUDGET_EXHAUSTED,
    },
    interner::{Held, Named},
    label::{AttemptOutcome, PoolSource, RetryReason},
    worker::{Common, StaticSeries},
};

/// The metrics of one service in one worker. Belongs to the worker's thread.
pub struct ServiceMetrics(Held<ServiceState>);

pub(crate) struct ServiceState {
    pub(crate) block: Arc<Block<ServiceCells>>,
    series: StaticSeries,
    index: u32,
    common: Rc<Common>,
}

impl ServiceMetrics {
    /// Counts one attempt by how it ended.
    pub fn attempt(&self, outcome: AttemptOutcome) {
        if let Some(counter) = self.0.0.block.cells.attempts.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Records the time from sending a request to the head of its answer.
    pub fn answered(&self, waited: Duration) {
        self.0.0.block.cells.duration.record(waited);
    }

    /// Counts where the connection of an attempt came from.
    pub fn connection_from(&self, source: PoolSource) {
        if let Some(counter) = self.0.0.block.cells.pool.get(source as usize) {
            counter.inc();
        }
    }

    /// Counts a dial.
    pub fn connect(&self) {
        self.0.0.block.cells.connects.inc();
    }

    /// Counts a dial that failed, by a short snake_case reason such as `refused` or `tls`.
    pub fn connect_failed(&self, reason: &'static str) {
        self.rare(&UPSTREAM_CONNECT_FAILURES, &[reason]);
    }

    /// Counts a try after the first.
    pub fn retried(&self, reason: RetryReason) {
        self.rare(&UPSTREAM_RETRIES, &[reason.as_str()]);
    }

    /// Counts a try that the retry budget did not allow.
    pub fn retry_budget_exhausted(&self) {
        self.rare(&UPSTREAM_RETRY_BUDGET_EXHAUSTED, &[]);
    }

    /// Counts a try that was begun beside a slow one.
    pub fn hedged(&self) {
        self.rare(&UPSTREAM_HEDGES, &[]);
    }

    /// Counts one of these that gave the answer.
    pub fn hedge_won(&self) {
        self.rare(&UPSTREAM_HEDGES_WON, &[]);
    }

    /// Counts a transition of the breaker.
    pub fn breaker_turned(&self, to: &'static str) {
        self.rare(&UPSTREAM_BREAKER_TRANSITIONS, &[to]);
    }

    /// Counts what happens too seldom to have a cell from the beginning.
    fn rare(&self, family: &'static Family, values: &[&'static str]) {
        let state = &*self.0.0;
        state.series.inc(
            &state.common,
            family,
            Some(&state.block.life),
            Some(&state.block.name),
            values,
        );
    }

    /// Counts a connection as open until the guard is dropped. When a sibling takes it over, the
    /// giver drops its guard and the taker makes one.
    pub fn connection(self: &Rc<Self>) -> UpstreamConnection {
        self.0.0.block.cells.connections.add(1);
        UpstreamConnection(self.clone())
    }

    /// Counts a request as being at the upstream until the guard is dropped.
    pub fn request(self: &Rc<Self>) -> UpstreamRequest {
        self.0.0.block.cells.requests.add(1);
        UpstreamRequest(self.clone())
    }

    pub(crate) fn index(&self) -> u32 {
        self.0.0.index
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.0.0.block.name
    }
}

impl Named for ServiceMetrics {
    type State = ServiceState;

    fn new(held: Held<ServiceState>) -> Self {
        Self(held)
    }
}

impl ServiceState {
    pub(crate) fn register(name: &Arc<str>, common: &Rc<Common>) -> Self {
        let block = Block::new(name);
        common.register(Registration::Service(block.clone()));
        Self {
            block,
            series: StaticSeries::default(),
            index: common.service_index(),
            common: common.clone(),
        }
    }
}

/// An open upstream connection, counted while it lives.
#[must_use = "the connection counts as closed when this is dropped"]
pub struct UpstreamConnection(Rc<ServiceMetrics>);

impl Drop for UpstreamConnection {
    fn drop(&mut self) {
        self.0.0.0.block.cells.connections.add(-1);
    }
}

/// A request at an upstream, counted while it lives.
#[must_use = "the request counts as over when this is dropped"]
pub struct UpstreamRequest(Rc<ServiceMetrics>);

impl Drop for UpstreamRequest {
    fn drop(&mut self) {
        self.0.0.0.block.cells.requests.add(-1);
    }
}
