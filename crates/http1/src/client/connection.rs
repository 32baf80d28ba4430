//! One upstream connection.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::buffer;
use crate::io::Io;
use crate::outbox::Outbox;

/// An upstream connection between two requests.
///
/// It has no task of its own and holds no buffer while idle. One allocation, so moving it through a pool is moving a pointer.
pub struct Conn<IO>(Box<Link<IO>>);

pub(super) struct Link<IO> {
    pub(super) io: IO,
    pub(super) read: BytesMut,
    pub(super) out: Outbox,
    pub(super) requests: u64,
    pub(super) opened_at: Instant,
    pub(super) idle_since: Instant,
    pub(super) keep_alive_timeout: Option<u32>,
}

impl<IO: Io> Conn<IO> {
    /// A connection that has carried no request yet.
    pub fn new(io: IO) -> Self {
        let now = Instant::now();
        Self(Box::new(Link {
            io,
            read: BytesMut::new(),
            out: Outbox::default(),
            requests: 0,
            opened_at: now,
            idle_since: now,
            keep_alive_timeout: None,
        }))
    }

    /// Whether the connection can carry a request: nothing surplus was received and the upstream has not closed it, as far as the
    /// reactor knows. Costs no system call unless the reactor has seen something.
    pub fn is_idle_ok(&mut self) -> bool {
        let link = &mut *self.0;
        if !link.read.is_empty() {
            return false;
        }
        if link.io.is_quiet() {
            return true;
        }
        // Readiness may be left over from a read that filled its buffer: only a read tells, and any outcome but "nothing there"
        // (data, end, error) means that the connection is of no use.
        let mut probe = [0_u8; 1];
        let mut cx = Context::from_waker(Waker::noop());
        pin!(link.io.read(&mut probe)).poll(&mut cx).is_pending()
    }

    /// The stream, to be registered with another reactor. Only a connection that [`Conn::is_idle_ok`] can be rebuilt from it.
    pub fn into_io(self) -> IO {
        self.0.io
    }

    /// The stream.
    pub fn io(&self) -> &IO {
        &self.0.io
    }

    /// The stream. Reading from it or writing to it breaks the connection.
    pub fn io_mut(&mut self) -> &mut IO {
        &mut self.0.io
    }

    /// Requests sent on this connection.
    pub fn requests(&self) -> u64 {
        self.0.requests
    }

    /// When the connection was made known to the codec.
    pub fn opened_at(&self) -> Instant {
        self.0.opened_at
    }

    /// When the last response was complete, or when the connection was opened.
    pub fn idle_since(&self) -> Instant {
        self.0.idle_since
    }

    /// Seconds for which the upstream said it keeps an idle connection (`Keep-Alive: timeout=N`).
    pub fn keep_alive_timeout(&self) -> Option<u32> {
        self.0.keep_alive_timeout
    }

    pub(super) fn link(&mut self) -> &mut Link<IO> {
        &mut self.0
    }

    pub(super) fn into_link(self) -> Link<IO> {
        *self.0
    }
}

impl<IO> Link<IO> {
    /// Gives the read buffer back if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.read.is_empty() && self.read.capacity() > 0 {
            buffer::put_read(std::mem::take(&mut self.read));
        }
    }
}
