//! A connection after the switch to another protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::{Io, Peer};

/// The byte stream that is left after `101 Switching Protocols` (RFC 9110 §7.8) or after an HTTP/2 preface, with the bytes that
/// had been read too far given out first.
pub struct Upgraded<IO> {
    io: IO,
    read: Bytes,
}

impl<IO> Upgraded<IO> {
    /// Puts already read bytes back in front of a stream.
    pub fn new(io: IO, read: Bytes) -> Self {
        Self { io, read }
    }

    /// The stream and the bytes that were read from it but not yet given out.
    pub fn into_parts(self) -> (IO, Bytes) {
        (self.io, self.read)
    }

    /// The stream underneath.
    pub fn io(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Upgraded<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let taken = self.read.len().min(buf.remaining());
        if let Some(front) = self.read.get(..taken) {
            buf.put_slice(front);
        }
        self.read.advance(taken);
        if self.read.is_empty() {
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Upgraded<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<IO: Io> Io for Upgraded<IO> {
    const ORDERLY_DROP: bool = IO::ORDERLY_DROP;

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            self.io.poll_readable(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.read.is_empty() && self.io.is_quiet()
    }

    fn peer(&mut self) -> Peer {
        match self.io.peer() {
            Peer::Finished { unread } => Peer::Finished {
                unread: unread.saturating_add(self.read.len() as u64),
            },
            peer => peer,
        }
    }

    fn reset_on_drop(&mut self) {
        self.io.reset_on_drop();
    }
}
