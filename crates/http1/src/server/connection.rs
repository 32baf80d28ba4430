//! The state of one client connection, shared within its task.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::{Options, ServeError};
use crate::buffer::{self, READ_SIZE};
use crate::head::{Scan, encode_interim};
use crate::io::{Io, Peer};
use crate::outbox::Outbox;
use crate::receive::{Framing, Receiver, poll_read};
use crate::timer::Timer;

/// Time between two looks at a client whose body waits to be read.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What [`serve`](super::serve), the request body and the handles of one connection share.
pub(super) struct Shared<IO> {
    pub(super) inner: RefCell<Inner<IO>>,
    pub(super) timer: Timer,
}

pub(super) struct Inner<IO> {
    /// `None` once the connection is over or handed on.
    pub(super) io: Option<IO>,
    /// Bytes read and not yet consumed. Without capacity while the connection is idle.
    pub(super) read: BytesMut,
    pub(super) scan: Scan,
    /// Interim responses that are still to be written.
    pub(super) interim: Outbox,
    /// The request body.
    pub(super) receiver: Receiver,
    /// Counts requests, so that what belongs to an earlier one is recognised.
    pub(super) exchange: u32,
    /// Somebody can still poll the body of this request.
    pub(super) body_wanted: bool,
    /// The client waits for `100 Continue`.
    pub(super) expects_continue: bool,
    /// Interim responses may be sent: the client speaks 1.1 and the final head is not written.
    pub(super) interim_allowed: bool,
    /// When to look next whether a client is still there whose body nobody reads.
    pub(super) next_look: Option<Instant>,
    /// The client has shut its sending side.
    pub(super) read_closed: bool,
    /// The handler wants the connection closed after this answer.
    pub(super) close: bool,
}

impl<IO: Io> Shared<IO> {
    pub(super) fn new(io: IO, already_read: BytesMut) -> Self {
        Self {
            inner: RefCell::new(Inner {
                io: Some(io),
                read: already_read,
                scan: Scan::default(),
                interim: Outbox::default(),
                receiver: Receiver::new(Framing::Done, Duration::MAX),
                exchange: 0,
                body_wanted: false,
                expects_continue: false,
                interim_allowed: false,
                next_look: None,
                read_closed: false,
                close: false,
            }),
            timer: Timer::new(),
        }
    }

    /// What goes on beside a handler that is not ready: interim responses out, and an eye on the client.
    pub(super) fn poll_beside(
        &self,
        options: &Options,
        cx: &mut Context<'_>,
    ) -> Result<(), ServeError<IO>> {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let Some(io) = inner.io.as_mut() else {
            return Err(ServeError::ClientGone);
        };
        if !inner.interim.is_empty()
            && let Poll::Ready(done) =
                inner
                    .interim
                    .poll_flush_within(io, &self.timer, options.write_timeout, cx)
        {
            done.map_err(ServeError::writing)?;
        }
        inner.watch(&self.timer, options.half_close, cx)
    }

    /// Notices a client that goes away while its answer is pending.
    pub(super) fn watch(
        &self,
        options: &Options,
        cx: &mut Context<'_>,
    ) -> Result<(), ServeError<IO>> {
        self.inner
            .borrow_mut()
            .watch(&self.timer, options.half_close, cx)
    }
}

impl<IO: Io> Inner<IO> {
    /// Reads ahead into one buffer at most, and only once the whole request is there: who has not asked for the body must not
    /// have it read. Costs no system call unless the reactor has seen something.
    fn watch(
        &mut self,
        timer: &Timer,
        half_close: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), ServeError<IO>> {
        if !self.receiver.is_buffered(&self.read) {
            return self.watch_unread(timer, half_close, cx);
        }
        let Some(io) = self.io.as_mut() else {
            return Err(ServeError::ClientGone);
        };
        if self.read_closed {
            return Ok(());
        }
        while self.read.len() < READ_SIZE {
            match io.poll_readable(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => return Err(ServeError::ClientGone),
                Poll::Ready(Ok(())) => {}
            }
            make_room(&mut self.read);
            match poll_read(io, &mut self.read, cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) if half_close => {
                    self.read_closed = true;
                    return Ok(());
                }
                Poll::Ready(Ok(0) | Err(_)) => return Err(ServeError::ClientGone),
            }
        }
        Ok(())
    }

    /// Looks once in a while whether a client is still there while the rest of its body waits to be read. Nothing is read for that:
    /// it tells by the state of the connection, and by what waits in it being less than what is missing.
    ///
    /// The reactor wakes nobody when the other side leaves behind data that is not read, hence the timer. A client that leaves with
    /// bytes on the way for which this side has no room is not noticed before they are read, and neither is one that shuts its
    /// sending side inside a chunked body where that is allowed.
    fn watch_unread(
        &mut self,
        timer: &Timer,
        half_close: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), ServeError<IO>> {
        let Some(io) = self.io.as_mut() else {
            return Err(ServeError::ClientGone);
        };
        loop {
            let due = *self
                .next_look
                .get_or_insert_with(|| Instant::now() + LOOK_INTERVAL);
            if timer.poll_deadline(cx, due).is_pending() {
                return Ok(());
            }
            self.next_look = None;
            let gone = match io.peer() {
                Peer::There => false,
                Peer::Gone => true,
                Peer::Finished { .. } if !half_close => true,
                Peer::Finished { unread } => {
                    let there = unread.saturating_add(self.read.len() as u64);
                    self.receiver.left().is_some_and(|left| left > there)
                }
            };
            if gone {
                return Err(ServeError::ClientGone);
            }
        }
    }

    /// Gives the read buffer back if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.read.is_empty() && self.read.capacity() > 0 {
            buffer::put_read(std::mem::take(&mut self.read));
        }
    }

    /// Takes the stream and the bytes that were read too far.
    pub(super) fn take(&mut self) -> Option<(IO, Bytes)> {
        let io = self.io.take()?;
        Some((io, std::mem::take(&mut self.read).freeze()))
    }
}

impl<IO> Inner<IO> {
    /// Ends the connection, whoever still holds a handle to it.
    pub(super) fn end(&mut self) {
        self.io = None;
        buffer::put_read(std::mem::take(&mut self.read));
    }
}

/// Makes room for a part of a head.
pub(super) fn make_room(read: &mut BytesMut) {
    if read.capacity() == 0 {
        *read = buffer::take_read();
    } else if read.capacity() == read.len() {
        read.reserve(READ_SIZE.max(read.len()));
    }
}

/// Ends the connection when `serve` is done with it or dropped, even if a body or handle outlives it.
pub(super) struct Owner<IO>(pub(super) Rc<Shared<IO>>);

impl<IO> Drop for Owner<IO> {
    fn drop(&mut self) {
        if let Ok(mut inner) = self.0.inner.try_borrow_mut() {
            inner.end();
        }
    }
}

/// The handler's access to its connection.
pub struct Handle<IO> {
    shared: Rc<Shared<IO>>,
    exchange: u32,
}

impl<IO> Clone for Handle<IO> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
            exchange: self.exchange,
        }
    }
}

impl<IO> Handle<IO> {
    pub(super) fn new(shared: Rc<Shared<IO>>, exchange: u32) -> Self {
        Self { shared, exchange }
    }

    /// The timer of the connection's task; see [`Timer`] for who may use it.
    pub fn timer(&self) -> &Timer {
        &self.shared.timer
    }

    /// Sends an interim response (RFC 9110 §15.2) ahead of the answer.
    ///
    /// Ignored towards HTTP/1.0 clients, once the answer has begun, and for anything but 102–199 other than 101: `100 Continue` is
    /// sent by the codec when the body is asked for.
    pub fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        let mut inner = self.shared.inner.borrow_mut();
        if inner.exchange == self.exchange
            && inner.interim_allowed
            && (102..200).contains(&status.as_u16())
        {
            encode_interim(inner.interim.buffer(), status, headers);
        }
    }

    /// Closes the connection after this answer, which says so.
    pub fn close_after(&self) {
        let mut inner = self.shared.inner.borrow_mut();
        if inner.exchange == self.exchange {
            inner.close = true;
        }
    }
}
