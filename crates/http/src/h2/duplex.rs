//! A stream as a tunnel.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes of a stream, both ways: what is left of it after an extended CONNECT (RFC 8441).
pub struct Duplex {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
    /// Received and not yet read.
    read: Bytes,
    shut: bool,
}

impl Duplex {
    /// A tunnel over both directions of a stream.
    pub const fn new(incoming: RecvStream, outgoing: SendStream<Bytes>) -> Self {
        Self {
            incoming,
            outgoing,
            read: Bytes::new(),
            shut: false,
        }
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.read.is_empty() {
            match ready!(this.incoming.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(data) => this.read = data.map_err(broken)?,
            }
        }
        let length = this.read.len().min(buf.remaining());
        this.read.copy_to_slice(buf.initialize_unfilled_to(length));
        buf.advance(length);
        // Fails only if more is given back than was taken.
        let _ = this.incoming.flow_control().release_capacity(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.outgoing.reserve_capacity(buf.len());
        let room = loop {
            match self.outgoing.capacity() {
                0 => match ready!(self.outgoing.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                },
                room => break room,
            }
        };
        let piece = buf.get(..room).unwrap_or(buf);
        let data = Bytes::copy_from_slice(piece);
        let sent = self.outgoing.send_data(data, false);
        Poll::Ready(sent.map(|()| piece.len()).map_err(broken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.shut, true) {
            return Poll::Ready(Ok(()));
        }
        let sent = self.outgoing.send_data(Bytes::new(), true);
        Poll::Ready(sent.map_err(broken))
    }
}

fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
    }
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
