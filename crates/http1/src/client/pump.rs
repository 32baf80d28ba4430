//! Moving the body of a request to the upstream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;

use crate::io::Io;
use crate::outbox::Outbox;
use crate::send_body::{Coding, EncodeError, Encoder, Fill};
use crate::timer::Timer;

/// The body of a request and how far it has got.
pub(super) struct Pump<B> {
    pub(super) body: B,
    encoder: Encoder,
    /// Something was taken from the body.
    pub(super) touched: bool,
}

/// Why the rest of a request can't be sent.
pub(super) enum PumpError<E> {
    Body(E),
    Length,
    Write(io::Error),
}

/// Where the bytes of a request go.
pub(super) struct Way<'a, IO> {
    pub(super) io: &'a mut IO,
    pub(super) out: &'a mut Outbox,
    pub(super) timer: &'a Timer,
    pub(super) write_timeout: Duration,
}

impl<IO: Io> Way<'_, IO> {
    /// Writes what is in the outbox.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out
            .poll_flush_within(self.io, self.timer, self.write_timeout, cx)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Pump<B> {
    pub(super) fn new(body: B, coding: Coding) -> Self {
        Self {
            body,
            encoder: Encoder::new(coding),
            touched: false,
        }
    }

    /// Whether there is a body to send at all.
    pub(super) fn has_body(&self) -> bool {
        !self.encoder.is_ended()
    }

    /// Ready once the whole request is written.
    pub(super) fn poll<IO: Io>(
        &mut self,
        mut way: Way<'_, IO>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PumpError<B::Error>>> {
        let vectored = way.io.is_write_vectored();
        loop {
            let fill = self
                .encoder
                .fill(
                    Pin::new(&mut self.body),
                    way.out,
                    vectored,
                    &mut self.touched,
                    cx,
                )
                .map_err(|error| match error {
                    EncodeError::Body(error) => PumpError::Body(error),
                    EncodeError::TooLong | EncodeError::TooShort => PumpError::Length,
                })?;
            ready!(way.poll_flush(cx)).map_err(PumpError::Write)?;
            match fill {
                Fill::Ended => return Poll::Ready(Ok(())),
                Fill::Full => {}
                Fill::Waiting => return Poll::Pending,
            }
        }
    }
}

/// A pump without the type of its body: the rest of a request whose answer came early.
pub(super) trait Rest<IO> {
    /// Ready once the request is written (`true`) or can't be (`false`).
    fn poll_rest(&mut self, way: Way<'_, IO>, cx: &mut Context<'_>) -> Poll<bool>;
}

impl<IO: Io, B: Body<Data = Bytes> + Unpin> Rest<IO> for Pump<B> {
    fn poll_rest(&mut self, way: Way<'_, IO>, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll(way, cx).map(|sent| sent.is_ok())
    }
}
