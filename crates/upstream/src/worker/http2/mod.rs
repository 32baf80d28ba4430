//! HTTP/2 connections: a few, each shared by many requests.
//!
//! Interim answers (1xx) end here: hyper's client skips them over HTTP/2, although h2 could give them
//! out (hyperium/hyper#4114 is open).

mod dial;
mod message;
mod monitor;
mod response;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2::SendRequest},
};
use lintel_telemetry::metrics::{ServiceMetrics, UpstreamRequest};
use tokio::time::Instant;

use self::monitor::Monitor;
pub(crate) use self::{
    dial::Dial,
    message::request,
    response::{response, sort},
};
use super::upload::Upload;
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
    sender: RefCell<SendRequest<Upload>>,
    monitor: Rc<Monitor>,
    load: Arc<Load>,
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

    /// Lets go of connections that are dead or have been idle for too long; hyper closes a
    /// connection that nobody holds once its last stream has ended. Makes hyper look at the others:
    /// of a GOAWAY it takes note when it is polled, and would not be before the next request.
    pub(crate) fn tick(&self, now: Instant, idle: Duration) {
        let mut connections = self.connections.borrow_mut();
        if connections.is_empty() {
            return;
        }
        connections
            .retain(|connection| connection.is_live() && !connection.is_idle_since(now, idle));
        for connection in connections.iter() {
            connection.monitor.look();
        }
    }

    pub(crate) fn clear(&self) {
        self.connections.borrow_mut().clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty() && self.dialing.borrow().is_none()
    }
}

impl Multiplexed {
    /// Begins a request. The stream is reset if the future is dropped (RFC 9113 §5.4.2).
    pub(crate) fn send(
        &self,
        request: http::Request<Upload>,
    ) -> impl Future<Output = Result<http::Response<Incoming>, TrySendError<http::Request<Upload>>>>
    + use<> {
        self.used.set(true);
        self.sender.borrow_mut().try_send_request(request)
    }

    /// Whether a request went over it before.
    pub(crate) const fn is_used(&self) -> bool {
        self.used.get()
    }

    fn is_live(&self) -> bool {
        !self.monitor.is_ended() && !self.sender.borrow().is_closed()
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
    }

    pub(crate) fn stream_ended(&self) {
        self.load.in_flight.subtract();
        let mut active = self.active.borrow_mut();
        active.pop();
        if active.is_empty() {
            self.idle_since.set(Instant::now());
        }
    }
}
