//! The connections of one worker to one endpoint.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use lintel_http1::client::{Conn, Recycle};
use lintel_telemetry::metrics::{PoolSource, ServiceMetrics, UpstreamConnection, UpstreamRequest};
use lintel_tls::Stream;
use tokio::time::Instant;

use super::{clock::Clock, http2::Streams, report::Reporter, shelf::Shelved};
use crate::service::{Endpoint, Load, Protocol, Room, Service, Usage};

/// Idle for longer than this, a connection may be taken by another worker.
const OWN: Duration = Duration::from_millis(200);
/// Of more idle connections than are to be kept, one is closed once it was idle for this long: work
/// that comes in bursts would else open and close connections all the time.
const SURPLUS: Duration = Duration::from_secs(1);
/// A connection is given up this much before the upstream said that it would close it, so that a
/// request does not meet the closing (RFC 9112 §9.3).
const MARGIN: Duration = Duration::from_secs(1);

/// One worker's connections to one endpoint, and what it counts of them.
///
/// Idle HTTP/1 connections are used last in, first out: the warmest is used again, and those that
/// are not needed any more grow old and are closed.
pub(crate) struct Pool {
    pub(crate) worker: usize,
    /// Gone once no set of endpoints contains it: then nothing is kept any more.
    endpoint: Weak<Endpoint>,
    pub(crate) load: Arc<Load>,
    pub(crate) reporter: Rc<Reporter>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) metrics: Rc<ServiceMetrics>,
    clock: Rc<Clock>,
    keep: Cell<Keep>,
    /// What the endpoint speaks, as far as it is known.
    pub(crate) speaks: Cell<Option<Speaks>>,
    idle: RefCell<Vec<Conn<Stream>>>,
    pub(crate) streams: Streams,
    /// Connections that came back while the request they had carried was still counted.
    ///
    /// A request that ends finds out here whether its connection came back or is lost. Which one
    /// it was does not matter: in the end there are as many of each.
    returned: Cell<u32>,
    /// One guard for each connection that this worker counts as open.
    open: RefCell<Vec<UpstreamConnection>>,
    /// One guard for each request.
    active: RefCell<Vec<UpstreamRequest>>,
}

/// The HTTP version an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

/// What is kept, by the newest configuration that this worker has seen.
#[derive(Clone, Copy)]
pub(crate) struct Keep {
    idle: Duration,
    max_idle: usize,
    max_requests: u64,
    /// Connections are limited, so that one that is not needed here may be waited for elsewhere.
    scarce: bool,
}

impl Pool {
    pub(crate) fn new(
        service: &Arc<Service>,
        endpoint: &Arc<Endpoint>,
        worker: usize,
        metrics: Rc<ServiceMetrics>,
        clock: Rc<Clock>,
    ) -> Rc<Self> {
        let load = Arc::new(Load::default());
        endpoint.register(&load);
        let speaks = match service.spec().protocol {
            Protocol::Http1 => Some(Speaks::Http1),
            Protocol::Http2 => Some(Speaks::Http2),
            Protocol::Auto => (!endpoint.is_tls()).then_some(Speaks::Http1),
        };
        Rc::new(Self {
            worker,
            endpoint: Arc::downgrade(endpoint),
            reporter: Rc::new(Reporter::new(service, endpoint, &load)),
            load,
            usage: Arc::clone(&service.usage),
            metrics,
            clock,
            keep: Cell::new(Keep::of(service)),
            speaks: Cell::new(speaks),
            idle: RefCell::default(),
            streams: Streams::default(),
            returned: Cell::new(0),
            open: RefCell::default(),
            active: RefCell::default(),
        })
    }

    /// Goes by another configuration of the same endpoint from now on.
    pub(crate) fn configure(&self, service: &Arc<Service>) {
        self.keep.set(Keep::of(service));
        self.reporter.configure(service);
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// A connection that was used before and is alive as far as can be told: this worker's own or,
    /// if it has none, one of a sibling's.
    pub(crate) fn take_idle(&self, endpoint: &Endpoint) -> Option<(Conn<Stream>, PoolSource)> {
        if let Some(conn) = self.take_own() {
            return Some((conn, PoolSource::Own));
        }
        while let Some(shelved) = endpoint.shelf.take() {
            let source = if shelved.worker == self.worker {
                PoolSource::Own
            } else {
                PoolSource::Sibling
            };
            if shelved.expires > self.now()
                && let Some(conn) = shelved.adopt(self.worker)
            {
                self.open.borrow_mut().push(self.metrics.connection());
                return Some((conn, source));
            }
        }
        None
    }

    fn take_own(&self) -> Option<Conn<Stream>> {
        loop {
            let mut conn = self.idle.borrow_mut().pop()?;
            self.load.idle.subtract();
            if conn.is_idle_ok() && self.expires(&conn) > self.now() {
                return Some(conn);
            }
            self.connection_closed();
        }
    }

    /// Closes one idle connection, so that another endpoint may have one.
    pub(crate) fn give_up_one(&self, endpoint: &Endpoint) -> bool {
        let own = self.idle.borrow_mut().pop();
        if own.is_some() {
            self.load.idle.subtract();
            self.connection_closed();
            return true;
        }
        endpoint.shelf.take().is_some()
    }

    /// When an idle connection is to be closed.
    fn expires(&self, conn: &Conn<Stream>) -> Instant {
        let told = conn
            .keep_alive_timeout()
            .map(|seconds| Duration::from_secs(seconds.into()));
        let idle = told.map_or(self.keep.get().idle, |told| {
            self.keep
                .get()
                .idle
                .min(told.saturating_sub(MARGIN).max(told / 2))
        });
        conn.idle_since() + idle
    }

    /// Keeps a connection for the next request, if it is to be kept.
    pub(crate) fn keep(&self, conn: Conn<Stream>) -> bool {
        let keep = self.keep.get();
        if self.endpoint.strong_count() == 0
            || keep.max_idle == 0
            || conn.requests() >= keep.max_requests
        {
            return false;
        }
        if keep.scarce
            && self.usage.pending.load(Ordering::Relaxed) > 0
            && let Some(endpoint) = self.endpoint.upgrade()
        {
            return self.shelve(&endpoint, conn).is_ok();
        }
        self.idle.borrow_mut().push(conn);
        self.load.idle.add();
        true
    }

    /// Lets other workers have a connection, and tells those that wait for one. It counts as
    /// nobody's until somebody takes it.
    fn shelve(&self, endpoint: &Endpoint, conn: Conn<Stream>) -> Result<(), Conn<Stream>> {
        let expires = self.expires(&conn);
        let shelved = Shelved {
            conn,
            expires,
            worker: self.worker,
            room: self.usage.room(),
        };
        endpoint
            .shelf
            .put(shelved, self.keep.get().max_idle)
            .map_err(|shelved| {
                shelved.room.keep();
                shelved.conn
            })?;
        self.open.borrow_mut().pop();
        self.usage.freed.notify_one();
        Ok(())
    }

    /// Closes what is dead or too old, and lets siblings have what has not been used for a moment.
    pub(crate) fn tick(&self, now: Instant) {
        self.streams.tick(now, self.keep.get().idle);
        if self.idle.borrow().is_empty() && self.endpoint.strong_count() > 0 {
            self.sweep_shelf(now);
            return;
        }
        let Some(endpoint) = self.endpoint.upgrade() else {
            self.retire();
            return;
        };
        let wanted = self.usage.pending.load(Ordering::Relaxed) > 0;
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        let mut kept = Vec::with_capacity(idle.len());
        for mut conn in idle {
            if self.expires(&conn) <= now || !conn.is_idle_ok() {
                self.connection_closed();
            } else if conn.idle_since() + OWN > now && !wanted {
                kept.push(conn);
            } else if let Err(conn) = self.shelve(&endpoint, conn) {
                kept.push(conn);
            }
        }
        let surplus = (kept.len() + endpoint.shelf.len()).saturating_sub(self.keep.get().max_idle);
        let unneeded = kept
            .iter()
            .take(surplus)
            .take_while(|conn| conn.idle_since() + SURPLUS <= now)
            .count();
        for _closed in kept.drain(..unneeded) {
            self.connection_closed();
        }
        self.load
            .idle
            .set(u32::try_from(kept.len()).unwrap_or(u32::MAX));
        *self.idle.borrow_mut() = kept;
        self.sweep_shelf(now);
    }

    fn sweep_shelf(&self, now: Instant) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            endpoint.shelf.sweep(now, self.worker);
        }
    }

    /// Whether the endpoint is gone and nothing of it is left here.
    pub(crate) fn is_over(&self) -> bool {
        self.endpoint.strong_count() == 0
            && self.idle.borrow().is_empty()
            && self.streams.is_empty()
    }

    /// Closes everything idle. Requests on their way go on.
    pub(crate) fn retire(&self) {
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        self.load.idle.set(0);
        for _closed in idle {
            self.connection_closed();
        }
        self.streams.clear();
    }

    pub(crate) fn request_began(&self) {
        self.load.in_flight.add();
        self.active.borrow_mut().push(self.metrics.request());
    }

    pub(crate) fn request_ended(&self) {
        self.load.in_flight.subtract();
        self.active.borrow_mut().pop();
    }

    /// The request that had a connection of its own is over.
    pub(crate) fn connection_left(&self) {
        match self.returned.get().checked_sub(1) {
            Some(left) => self.returned.set(left),
            None => self.connection_closed(),
        }
    }

    /// A connection was opened.
    pub(crate) fn connection_opened(&self, room: Room) {
        room.keep();
        self.open.borrow_mut().push(self.metrics.connection());
    }

    /// A connection that this worker counted as open is closed.
    pub(crate) fn connection_closed(&self) {
        self.open.borrow_mut().pop();
        self.usage.leave();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for _closed in self.open.take() {
            self.usage.leave();
        }
    }
}

impl Recycle<Stream> for Pool {
    fn recycle(&self, conn: Conn<Stream>) {
        if self.keep(conn) {
            self.returned.set(self.returned.get() + 1);
        }
    }
}

impl Keep {
    fn of(service: &Service) -> Self {
        let keep = service.spec().keep_alive;
        Self {
            idle: keep.idle,
            max_idle: keep.max_idle_per_worker,
            max_requests: if keep.max_requests == u32::MAX {
                u64::MAX
            } else {
                keep.max_requests.into()
            },
            scarce: service.spec().limits.connections.is_some(),
        }
    }
}
