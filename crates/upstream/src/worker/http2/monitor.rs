//! Running an HTTP/2 connection, and what its users have to know of it.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::client::Connection;
use lintel_http::h2::KeepAlive;
use lintel_http1::{Observed, Observer, Timer};
use lintel_telemetry::metrics::UpstreamConnection;
use lintel_tls::Stream;
use tokio::{sync::Notify, time::Instant};

use crate::service::Room;

/// How often a connection with streams on it is asked for a sign of life, and how long it has.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of one connection, as far as its users have to know it.
pub(super) struct Monitor {
    /// The peer has sent something since this was last looked at.
    heard: Cell<bool>,
    /// The peer has sent its SETTINGS, which come first (RFC 9113 §3.4).
    settled: Cell<bool>,
    max_streams: Cell<usize>,
    /// Requests on it.
    pub(super) busy: Cell<usize>,
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

impl Monitor {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            heard: Cell::new(false),
            settled: Cell::new(false),
            // RFC 9113 §6.5.2 recommends no less than 100; the peer may say otherwise.
            max_streams: Cell::new(100),
            busy: Cell::new(0),
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

    /// Runs the connection to its end: the peer's, or that of its last user and stream.
    pub(super) async fn drive(self: Rc<Self>, mut connection: Connection<Monitored, Bytes>) {
        let pings = connection.ping_pong();
        let mut life = Life {
            timer: Timer::new(),
            keep_alive: pings.map(|pings| KeepAlive::new(pings, PING_INTERVAL, PING_TIMEOUT)),
            was_idle: true,
        };
        let ended = poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(ended.map_err(|error| error.to_string()));
                }
                let heard = self.heard.take();
                if heard {
                    self.max_streams
                        .set(connection.max_concurrent_send_streams());
                    if !self.settled.replace(true) {
                        self.news.notify_one();
                    }
                }
                match life.poll(cx, heard, self.busy.get() == 0) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => {
                        let why = "the endpoint did not answer a PING";
                        return Poll::Ready(Err(why.to_owned()));
                    }
                }
            }
        });
        let ended = ended.await;
        *self.ended.borrow_mut() = Some(ended);
        self.news.notify_one();
    }
}

struct Life {
    timer: Timer,
    keep_alive: Option<KeepAlive>,
    was_idle: bool,
}

impl Life {
    /// Asks for a sign of life when one is due. Ready, and false, if there was none.
    fn poll(&mut self, cx: &mut Context<'_>, heard: bool, idle: bool) -> Poll<bool> {
        let Some(keep_alive) = &mut self.keep_alive else {
            return Poll::Pending;
        };
        // Silence counts from the request.
        keep_alive.listen(cx, heard || self.was_idle);
        self.was_idle = idle;
        if idle {
            return Poll::Pending;
        }
        self.timer
            .poll_deadline(cx, keep_alive.due())
            .map(|()| keep_alive.act(cx, Instant::now()))
    }
}

impl Observer for Watch {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.monitor.heard.set(true);
        }
        Ok(())
    }

    fn written(&mut self, _bytes: &[u8]) {}
}
