//! HTTP/2 connections: a few, each shared by many requests.

mod dial;
mod exchange;
mod failure;
mod message;
mod monitor;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use lintel_telemetry::metrics::{ServiceMetrics, UpstreamRequest};
use tokio::time::Instant;

use self::monitor::Monitor;
pub(crate) use self::{
    dial::{Dial, builder},
    exchange::{NoAnswer, Terms, exchange},
    failure::{bad_response, sort},
    message::request,
};
use super::report::Reporter;
use crate::service::Load;

/// One worker's HTTP/2 connections to one endpoint.
#[derive(Default)]
pub(crate) struct Streams {
    connections: RefCell<Vec<Rc<Multiplexed>>>,
    /// The connection being opened; whoever needs one waits for the same.
    pub(crate) dialing: RefCell<Option<Rc<Dial>>>,
}

/// One HTTP/2 connection.
pub(crate) struct Multiplexed {
    sender: RefCell<SendRequest<Bytes>>,
    monitor: Rc<Monitor>,
    load: Arc<Load>,
    pub(super) reporter: Rc<Reporter>,
    metrics: Rc<ServiceMetrics>,
    /// One guard for each request on it.
    active: RefCell<Vec<UpstreamRequest>>,
    used: Cell<bool>,
    idle_since: Cell<Instant>,
}

impl Streams {
    /// The least busy connection, and whether it has room for another stream under the peer's
    /// limit (RFC 9113 §5.1.2).
    pub(crate) fn least_busy(&self) -> Option<(Rc<Multiplexed>, bool)> {
        let connections = self.connections.borrow();
        let live = connections.iter().filter(|connection| connection.is_live());
        let least = live
            .min_by_key(|connection| (!connection.has_room(), connection.active.borrow().len()))?;
        Some((Rc::clone(least), least.has_room()))
    }

    /// How many connections there are.
    pub(crate) fn live(&self) -> usize {
        self.connections
            .borrow()
            .iter()
            .filter(|connection| connection.is_live())
            .count()
    }

    fn add(&self, connection: Rc<Multiplexed>) {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| connection.is_live());
        connections.push(connection);
    }

    /// Lets go of connections that are dead or have been idle for too long. h2 closes a connection
    /// that nobody holds once its last stream has ended.
    pub(crate) fn tick(&self, now: Instant, idle: Duration) {
        let mut connections = self.connections.borrow_mut();
        if connections.is_empty() {
            return;
        }
        connections
            .retain(|connection| connection.is_live() && !connection.is_idle_since(now, idle));
    }

    pub(crate) fn clear(&self) {
        self.connections.borrow_mut().clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty() && self.dialing.borrow().is_none()
    }
}

impl Multiplexed {
    /// What a request is sent by.
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.used.set(true);
        self.sender.borrow().clone()
    }

    /// Whether a request went over it before.
    pub(crate) const fn is_used(&self) -> bool {
        self.used.get()
    }

    fn is_live(&self) -> bool {
        if self.monitor.is_ended() {
            return false;
        }
        // Nothing was begun by this one, so h2 waits for nothing: it says whether the connection takes
        // requests, which it does not after a GOAWAY.
        let mut cx = Context::from_waker(Waker::noop());
        matches!(
            self.sender.borrow_mut().poll_ready(&mut cx),
            Poll::Ready(Ok(()))
        )
    }

    fn has_room(&self) -> bool {
        self.active.borrow().len() < self.monitor.max_streams()
    }

    fn is_idle_since(&self, now: Instant, idle: Duration) -> bool {
        self.active.borrow().is_empty() && self.idle_since.get() + idle <= now
    }

    pub(crate) fn stream_began(&self) {
        self.load.in_flight.add();
        self.active.borrow_mut().push(self.metrics.request());
        self.monitor.busy.set(self.monitor.busy.get() + 1);
    }

    pub(crate) fn stream_ended(&self) {
        self.load.in_flight.subtract();
        let mut active = self.active.borrow_mut();
        active.pop();
        self.monitor.busy.set(active.len());
        if active.is_empty() {
            self.idle_since.set(Instant::now());
        }
    }
}
