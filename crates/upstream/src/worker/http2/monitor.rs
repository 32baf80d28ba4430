//! What can be seen of an HTTP/2 connection from outside hyper.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    task::Waker,
};

use hyper::client::conn::http2::Connection;
use hyper_util::rt::TokioIo;
use lintel_http::h2::LocalExecutor;
use lintel_http1::{Observed, Observer};
use lintel_telemetry::metrics::UpstreamConnection;
use lintel_tls::Stream;
use tokio::sync::Notify;

use crate::{service::Room, worker::upload::Upload};

/// The state of one connection, as far as its users have to know it.
pub(super) struct Monitor {
    /// The peer has sent something: its SETTINGS come first (RFC 9113 §3.4).
    heard: Cell<bool>,
    settled: Cell<bool>,
    max_streams: Cell<usize>,
    driver: RefCell<Option<Waker>>,
    /// The peer's SETTINGS are known, or the connection has ended.
    pub(super) news: Notify,
    /// How the connection ended, once it has.
    ended: RefCell<Option<Result<(), String>>>,
}

/// The stream of a connection.
pub(super) type Monitored = Observed<Stream, Watch>;

/// Sees the bytes of a connection, which counts as open while this lives.
pub(super) struct Watch {
    pub(super) monitor: Rc<Monitor>,
    pub(super) _open: UpstreamConnection,
    pub(super) _room: Room,
}

type Driven = Connection<TokioIo<Monitored>, Upload, LocalExecutor>;

impl Monitor {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            heard: Cell::new(false),
            settled: Cell::new(false),
            // RFC 9113 §6.5.2 recommends no less than 100; the peer may say otherwise.
            max_streams: Cell::new(100),
            driver: RefCell::new(None),
            news: Notify::new(),
            ended: RefCell::new(None),
        })
    }

    pub(super) const fn max_streams(&self) -> usize {
        self.max_streams.get()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    pub(super) fn ended(&self) -> Option<Result<(), String>> {
        self.ended.borrow().clone()
    }

    /// Runs the connection to its end.
    pub(super) async fn drive(self: Rc<Self>, mut connection: Driven) {
        let ended = poll_fn(|cx| {
            self.driver
                .borrow_mut()
                .get_or_insert_with(|| cx.waker().clone())
                .clone_from(cx.waker());
            let polled = Pin::new(&mut connection).poll(cx);
            if self.heard.get() {
                self.max_streams.set(connection.current_max_send_streams());
                if !self.settled.replace(true) {
                    self.news.notify_one();
                }
            }
            polled
        });
        let ended = ended.await.map_err(|error| error.to_string());
        *self.ended.borrow_mut() = Some(ended);
        self.news.notify_one();
    }

    fn on_bytes(&self) {
        if !self.heard.replace(true) {
            self.look();
        }
    }

    /// Has the connection polled.
    pub(super) fn look(&self) {
        if let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
    }
}

impl Observer for Watch {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.monitor.on_bytes();
        }
        Ok(())
    }

    fn written(&mut self, _bytes: &[u8]) {}
}
