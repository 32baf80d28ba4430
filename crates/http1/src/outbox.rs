//! Bytes on their way out: heads and small frames in one buffer, a large frame behind them without a copy.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::buffer;
use crate::io::Io;
use crate::timer::Timer;

/// Frames up to this size are copied behind the head; a second slice in the write costs about as much.
const COPY_VECTORED: usize = 1024;
/// The same for streams that take one slice at a time, where a second write is a second packet or TLS record.
const COPY_SINGLE: usize = 16 * 1024;
/// Bytes gathered before they are written.
const GATHER: usize = 16 * 1024;

/// An ordered queue of bytes to write: `buffer`, then `payload`, then `tail`.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    buffer: Vec<u8>,
    written: usize,
    payload: Bytes,
    tail: &'static [u8],
    /// When the wait for progress that is going on is over.
    deadline: Option<Instant>,
    unflushed: bool,
}

impl Outbox {
    /// The buffer to append heads to. Only while [`Outbox::has_room`].
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.payload.is_empty() && self.tail.is_empty(),
            "bytes would overtake a frame"
        );
        if self.buffer.capacity() == 0 {
            self.buffer = buffer::take_write();
        }
        &mut self.buffer
    }

    /// Whether a further frame may be added before some is written.
    pub(crate) fn has_room(&self) -> bool {
        self.payload.is_empty() && self.tail.is_empty() && self.buffer.len() < GATHER
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == self.written
            && self.payload.is_empty()
            && self.tail.is_empty()
            && !self.unflushed
    }

    /// Adds a frame as it is.
    pub(crate) fn push_data(&mut self, data: Bytes, vectored: bool) {
        if data.len() <= if vectored { COPY_VECTORED } else { COPY_SINGLE } {
            self.buffer().extend_from_slice(&data);
        } else {
            self.payload = data;
        }
    }

    /// Adds a frame as one chunk (RFC 9112 §7.1). An empty one is left out: it would end the body.
    pub(crate) fn push_chunk(&mut self, data: Bytes, vectored: bool) {
        if data.is_empty() {
            return;
        }
        push_hex(self.buffer(), data.len());
        self.push_data(data, vectored);
        if self.payload.is_empty() {
            self.buffer.extend_from_slice(b"\r\n");
        } else {
            self.tail = b"\r\n";
        }
    }

    /// Ends a chunked body without trailers.
    pub(crate) fn push_last_chunk(&mut self) {
        if self.payload.is_empty() && self.tail.is_empty() {
            self.buffer().extend_from_slice(b"0\r\n\r\n");
        } else {
            self.tail = b"\r\n0\r\n\r\n";
        }
    }

    /// Writes until nothing is left. `Pending`: the peer takes no more now, the task is woken when it does.
    pub(crate) fn poll_flush<IO: Io>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.buffer.len() > self.written || !self.payload.is_empty() || !self.tail.is_empty()
        {
            let count = ready!(self.poll_write(io, cx))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.deadline = None;
            self.unflushed = true;
            self.advance(count);
        }
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        self.release();
        Poll::Ready(Ok(()))
    }

    /// Like [`Outbox::poll_flush`]; fails with `TimedOut` when nothing could be written for `patience`.
    pub(crate) fn poll_flush_within<IO: Io>(
        &mut self,
        io: &mut IO,
        timer: &Timer,
        patience: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(done) = self.poll_flush(io, cx) {
            return Poll::Ready(done);
        }
        let deadline = *self
            .deadline
            .get_or_insert_with(|| Instant::now() + patience);
        ready!(timer.poll_deadline(cx, deadline));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_write<IO: Io>(&mut self, io: &mut IO, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let front = self.buffer.get(self.written..).unwrap_or_default();
        // A single slice goes the plain way: after a short write the reactor then knows that the socket is full, and no further
        // system call is needed to find out.
        match (front, &*self.payload, self.tail) {
            (single, [], []) | ([], single, []) | ([], [], single) => {
                Pin::new(io).poll_write(cx, single)
            }
            (front, payload, tail) => {
                let slices = [
                    IoSlice::new(front),
                    IoSlice::new(payload),
                    IoSlice::new(tail),
                ];
                let used = if front.is_empty() {
                    slices.get(1..)
                } else {
                    Some(&slices[..])
                };
                Pin::new(io).poll_write_vectored(cx, used.unwrap_or_default())
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        let front = (self.buffer.len() - self.written).min(count);
        self.written += front;
        count -= front;
        let middle = self.payload.len().min(count);
        if middle == self.payload.len() {
            self.payload = Bytes::new();
        } else {
            self.payload.advance(middle);
        }
        count -= middle;
        self.tail = self.tail.get(count..).unwrap_or_default();
    }

    /// Whether no buffer is held.
    #[cfg(test)]
    pub(crate) fn holds_nothing(&self) -> bool {
        self.buffer.capacity() == 0 && self.payload.is_empty()
    }

    fn release(&mut self) {
        self.written = 0;
        if self.buffer.capacity() > 0 {
            buffer::put_write(std::mem::take(&mut self.buffer));
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.release();
    }
}

fn push_hex(out: &mut Vec<u8>, mut value: usize) {
    let mut digits = [0_u8; 16];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = HEX.get(value & 15).copied().unwrap_or(b'0');
        value >>= 4;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(16 - used..).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

const HEX: &[u8; 16] = b"0123456789abcdef";
