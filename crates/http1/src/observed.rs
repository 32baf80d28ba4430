//! A byte stream that somebody keeps an eye on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::{Io, Peer};

/// What sees the bytes of an [`Observed`] stream go by.
pub trait Observer {
    /// These bytes were read. Empty at the end of the stream.
    ///
    /// # Errors
    ///
    /// The stream is not to be read any further; the reader gets this error instead of the bytes.
    fn read(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// These bytes were written; a vectored write is told piece by piece.
    fn written(&mut self, bytes: &[u8]);
}

/// A byte stream whose bytes pass an [`Observer`] in both directions. Costs no system call and no allocation of its own.
#[derive(Debug)]
pub struct Observed<IO, O> {
    io: IO,
    observer: O,
}

impl<IO, O> Observed<IO, O> {
    /// Has the bytes of `io` pass `observer`.
    pub const fn new(io: IO, observer: O) -> Self {
        Self { io, observer }
    }

    /// The stream underneath.
    pub const fn io(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin, O: Observer + Unpin> AsyncRead for Observed<IO, O> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.observer.read(fresh))
    }
}

impl<IO: AsyncWrite + Unpin, O: Observer + Unpin> AsyncWrite for Observed<IO, O> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = ready!(Pin::new(&mut this.io).poll_write(cx, buf))?;
        this.observer
            .written(buf.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            left -= part;
            this.observer.written(buf.get(..part).unwrap_or_default());
        }
        Poll::Ready(Ok(written))
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

impl<IO: Io, O: Observer + Unpin> Io for Observed<IO, O> {
    const ORDERLY_DROP: bool = IO::ORDERLY_DROP;

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_readable(cx)
    }

    fn is_quiet(&mut self) -> bool {
        self.io.is_quiet()
    }

    fn peer(&mut self) -> Peer {
        self.io.peer()
    }

    fn reset_on_drop(&mut self) {
        self.io.reset_on_drop();
    }
}
