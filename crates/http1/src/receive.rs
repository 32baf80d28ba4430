//! Receiving one body: framing, limit, idle timeout, end of stream.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::buffer::{self, BODY_READ_SIZE, READ_SIZE};
use crate::chunk::{Chunked, Decoded};
use crate::error::BodyError;
use crate::io::Io;
use crate::timer::Timer;

/// How the end of a received message is found (RFC 9112 §6.3).
#[derive(Debug)]
pub(crate) enum Framing {
    /// So many bytes are still to come; never 0.
    Length(u64),
    Chunked(Chunked),
    /// All bytes until the stream ends; responses only.
    UntilClose,
    /// The message is complete.
    Done,
    /// Where the message ends is not known any more.
    Lost,
}

impl Framing {
    pub(crate) fn length(length: u64) -> Self {
        if length == 0 {
            Self::Done
        } else {
            Self::Length(length)
        }
    }
}

/// The receiving half of one message body.
#[derive(Debug)]
pub(crate) struct Receiver {
    framing: Framing,
    limit: u64,
    received: u64,
    idle: Duration,
    /// The last read filled its buffer, so there may be much more.
    filled: bool,
    /// When the wait that is going on is over; set when it begins.
    deadline: Option<Instant>,
}

impl Receiver {
    pub(crate) fn new(framing: Framing, idle: Duration) -> Self {
        Self {
            framing,
            limit: u64::MAX,
            received: 0,
            idle,
            filled: false,
            deadline: None,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Whether the declared length alone is beyond the limit.
    pub(crate) fn exceeds_limit(&self) -> bool {
        matches!(self.framing, Framing::Length(left) if left > self.limit.saturating_sub(self.received))
    }

    /// Bytes that are known to come; `None` if only the end will tell.
    pub(crate) fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Done => Some(0),
            Framing::Length(left) => Some(left),
            _ => None,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.framing, Framing::Lost)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn is_done(&self) -> bool {
        match &self.framing {
            Framing::Done => true,
            Framing::Chunked(chunked) => chunked.is_done(),
            Framing::Length(_) | Framing::UntilClose | Framing::Lost => false,
        }
    }

    /// Whether the message is complete with what is in `read`.
    pub(crate) fn is_buffered(&self, read: &BytesMut) -> bool {
        match self.framing {
            Framing::Length(left) => read.len() as u64 >= left,
            _ => self.is_done(),
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Done => SizeHint::with_exact(0),
            Framing::Chunked(_) | Framing::UntilClose | Framing::Lost => SizeHint::default(),
        }
    }

    /// The next frame; `None` once the message is complete.
    pub(crate) fn poll_frame<IO: Io>(
        &mut self,
        io: &mut IO,
        read: &mut BytesMut,
        timer: &Timer,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_next(io, read, timer, cx);
        if let Poll::Ready(Some(Err(_))) = polled {
            self.framing = Framing::Lost;
        }
        polled
    }

    fn poll_next<IO: Io>(
        &mut self,
        io: &mut IO,
        read: &mut BytesMut,
        timer: &Timer,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match self.decode(read) {
                Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Decoded::Trailers(fields)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(fields))));
                }
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::Starved) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let Poll::Ready(polled) = self.poll_more(io, read, cx) else {
                let deadline = *self
                    .deadline
                    .get_or_insert_with(|| Instant::now() + self.idle);
                ready!(timer.poll_deadline(cx, deadline));
                return Poll::Ready(Some(Err(BodyError::Timeout)));
            };
            self.deadline = None;
            match polled {
                Ok(0) => match self.framing {
                    Framing::UntilClose => self.framing = Framing::Done,
                    _ => return Poll::Ready(Some(Err(BodyError::Truncated))),
                },
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    fn decode(&mut self, read: &mut BytesMut) -> Result<Decoded, BodyError> {
        let decoded = match &mut self.framing {
            Framing::Done => Decoded::End,
            Framing::Lost => return Err(BodyError::Closed),
            Framing::Chunked(chunked) => chunked.decode(read)?,
            Framing::Length(left) if *left > self.limit.saturating_sub(self.received) => {
                return Err(BodyError::TooLarge);
            }
            _ if read.is_empty() => Decoded::Starved,
            Framing::UntilClose => Decoded::Data(read.split().freeze()),
            Framing::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.framing = Framing::Done;
                }
                Decoded::Data(read.split_to(taken).freeze())
            }
        };
        if let Decoded::Data(data) = &decoded {
            if let Framing::Chunked(chunked) = &mut self.framing {
                chunked.take_plain_end(read);
            }
            self.received += data.len() as u64;
            if self.received > self.limit {
                return Err(BodyError::TooLarge);
            }
        }
        Ok(decoded)
    }

    /// Reads more, and holds no buffer while there is nothing to read: an event stream that waits costs none.
    fn poll_more<IO: Io>(
        &mut self,
        io: &mut IO,
        read: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if read.is_empty() && io.poll_readable(cx).is_pending() {
            if read.capacity() > 0 {
                buffer::put_read(std::mem::take(read));
            }
            return Poll::Pending;
        }
        self.make_room(read);
        let room = read.capacity() - read.len();
        let polled = poll_read(io, read, cx);
        if let Poll::Ready(Ok(count)) = polled {
            self.filled = count == room;
        }
        polled
    }

    /// The first buffer is a small one; a body that fills it continues with large reads. The room always exceeds what is left of
    /// a declared length, because a read that fills its buffer leaves the reactor believing that there is more.
    fn make_room(&self, read: &mut BytesMut) {
        let wanted = match self.framing {
            Framing::Length(left) => usize::try_from(left)
                .unwrap_or(BODY_READ_SIZE)
                .saturating_add(1),
            _ if self.filled => BODY_READ_SIZE,
            _ => READ_SIZE,
        };
        if read.capacity() == 0 && wanted <= READ_SIZE {
            *read = buffer::take_read();
        } else if read.capacity() - read.len() < wanted.min(READ_SIZE / 4) {
            read.reserve(wanted.clamp(READ_SIZE, BODY_READ_SIZE));
        }
    }
}

/// One read into the spare room of `read`. 0 is the end of the stream.
pub(crate) fn poll_read<IO: Io>(
    io: &mut IO,
    read: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    debug_assert!(read.capacity() > read.len(), "a read needs room");
    // Bounded to the room there is: left alone, the buffer would grow by 64 bytes whenever it is full.
    let room = read.capacity() - read.len();
    let mut bounded = read.limit(room);
    pin!(io.read_buf(&mut bounded)).poll(cx)
}
