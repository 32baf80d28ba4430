//! The body of a request.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connection::Shared;
use crate::error::BodyError;
use crate::io::Io;

/// The body of a request, read from the connection as it is polled and no faster.
///
/// Frames are slices of the read buffer: keeping a small one keeps up to 64 KiB, so copy what is to be stored. Must be polled in
/// the task that serves the connection. Ends with [`BodyError::Closed`] once the answer is complete.
pub struct Incoming<IO> {
    shared: Rc<Shared<IO>>,
    exchange: u32,
}

impl<IO> Incoming<IO> {
    pub(super) fn new(shared: Rc<Shared<IO>>, exchange: u32) -> Self {
        Self { shared, exchange }
    }

    /// Refuses to read more than `bytes` in all: the body then fails with [`BodyError::TooLarge`]. A declared length beyond the
    /// limit fails at the first poll, before a `100 Continue`; `size_hint` tells it up front.
    pub fn set_limit(&mut self, bytes: u64) {
        let mut inner = self.shared.inner.borrow_mut();
        if inner.exchange == self.exchange {
            inner.receiver.set_limit(bytes);
        }
    }

    /// Bytes of content received so far.
    pub fn received(&self) -> u64 {
        let inner = self.shared.inner.borrow();
        if inner.exchange == self.exchange {
            inner.receiver.received()
        } else {
            0
        }
    }
}

impl<IO: Io> Body for Incoming<IO> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut inner = self.shared.inner.borrow_mut();
        let inner = &mut *inner;
        if inner.exchange != self.exchange {
            return Poll::Ready(Some(Err(BodyError::Closed)));
        }
        let Some(io) = inner.io.as_mut() else {
            return Poll::Ready(Some(Err(BodyError::Closed)));
        };
        if inner.expects_continue {
            if inner.receiver.exceeds_limit() {
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            }
            inner.expects_continue = false;
            // A client that has begun to send does not need it (RFC 9110 §10.1.1).
            if inner.interim_allowed && inner.read.is_empty() {
                inner
                    .interim
                    .buffer()
                    .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                // What is left is written beside the handler; an error shows up again there.
                let _progress = inner.interim.poll_flush(io, cx);
            }
        }
        inner
            .receiver
            .poll_frame(io, &mut inner.read, &self.shared.timer, cx)
    }

    fn is_end_stream(&self) -> bool {
        let inner = self.shared.inner.borrow();
        inner.exchange == self.exchange && inner.receiver.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.shared.inner.borrow();
        if inner.exchange == self.exchange {
            inner.receiver.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

impl<IO> Drop for Incoming<IO> {
    fn drop(&mut self) {
        if let Ok(mut inner) = self.shared.inner.try_borrow_mut()
            && inner.exchange == self.exchange
        {
            inner.body_wanted = false;
        }
    }
}
