//! What is counted for a listener.

use std::{rc::Rc, sync::Arc};

use super::{
    block::{Block, ListenerCells, Registration},
    family::{CONNECTIONS_REFUSED, MALFORMED_REQUESTS, OBSERVED_PATHS, TLS_HANDSHAKES},
    interner::{Held, Named},
    worker::{Common, StaticSeries},
};

/// The metrics of one listener in one worker. Belongs to the worker's thread.
pub struct ListenerMetrics(Held<ListenerState>);

pub(crate) struct ListenerState {
    pub(crate) block: Arc<Block<ListenerCells>>,
    events: StaticSeries,
    common: Rc<Common>,
}

impl ListenerMetrics {
    /// Counts an accepted connection, as open until the guard is dropped.
    pub fn connection(self: &Rc<Self>) -> ClientConnection {
        let cells = &self.0.0.block.cells;
        cells.connections.inc();
        cells.active.add(1);
        ClientConnection(self.clone())
    }

    /// Counts a connection that was not served, by a short snake_case reason.
    pub fn refused(&self, reason: &'static str) {
        let state = &*self.0.0;
        state.events.inc(
            &state.common,
            &CONNECTIONS_REFUSED,
            Some(&state.block.life),
            Some(&state.block.name),
            &[reason],
        );
    }

    /// Counts a message that broke its protocol, by a short snake_case reason.
    pub fn malformed(&self, reason: &'static str) {
        let state = &*self.0.0;
        state.events.inc(
            &state.common,
            &MALFORMED_REQUESTS,
            Some(&state.block.life),
            Some(&state.block.name),
            &[reason],
        );
    }

    /// Counts a path that enforced rules would refuse, by the rule.
    pub fn observed(&self, reason: &'static str) {
        let state = &*self.0.0;
        state.events.inc(
            &state.common,
            &OBSERVED_PATHS,
            Some(&state.block.life),
            Some(&state.block.name),
            &[reason],
        );
    }

    /// Counts a TLS handshake: its version (`TLSv1.3`; empty where none was agreed), whether a
    /// session was resumed, and `success` or a short snake_case reason of its failure.
    pub fn handshake(&self, version: &'static str, resumed: bool, outcome: &'static str) {
        let state = &*self.0.0;
        let resumed = if resumed { "true" } else { "false" };
        state.events.inc(
            &state.common,
            &TLS_HANDSHAKES,
            Some(&state.block.life),
            Some(&state.block.name),
            &[version, resumed, outcome],
        );
    }

    /// Counts bytes received, inside TLS.
    pub fn received(&self, bytes: u64) {
        self.0.0.block.cells.received.add(bytes);
    }

    /// Counts bytes sent, inside TLS.
    pub fn sent(&self, bytes: u64) {
        self.0.0.block.cells.sent.add(bytes);
    }
}

impl Named for ListenerMetrics {
    type State = ListenerState;

    fn new(held: Held<ListenerState>) -> Self {
        Self(held)
    }
}

impl ListenerState {
    pub(crate) fn register(name: &Arc<str>, common: &Rc<Common>) -> Self {
        let block = Block::new(name);
        common.register(Registration::Listener(block.clone()));
        Self {
            block,
            events: StaticSeries::default(),
            common: common.clone(),
        }
    }
}

/// An open client connection, counted while it lives.
#[must_use = "the connection counts as closed when this is dropped"]
pub struct ClientConnection(Rc<ListenerMetrics>);

impl Drop for ClientConnection {
    fn drop(&mut self) {
        self.0.0.0.block.cells.active.add(-1);
    }
}
