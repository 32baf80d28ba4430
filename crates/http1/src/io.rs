//! What the codec asks of a byte stream.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

/// A byte stream whose readiness can be asked for without a buffer.
///
/// Between requests a connection waits with [`Io::poll_readable`] and holds no read buffer; an idle upstream connection is
/// judged with [`Io::is_quiet`], which must not cost a system call.
pub trait Io: AsyncRead + AsyncWrite + Unpin {
    /// Whether dropping the stream ends it in an orderly way (plain sockets: the kernel sends FIN). Where it is `false` the codec
    /// calls `poll_shutdown` first (TLS: `close_notify`).
    const ORDERLY_DROP: bool = false;

    /// Ready when a read may make progress: data, end of stream or an error. False positives are allowed.
    ///
    /// # Errors
    ///
    /// The stream is broken.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// True if the reactor knows of nothing to read: no data, no end of stream, no error. `false` may mean "not known".
    fn is_quiet(&mut self) -> bool;

    /// What is known of the other side without a read. Costs no system call as long as the other side sends.
    fn peer(&mut self) -> Peer {
        Peer::There
    }

    /// Asks that the coming drop resets the connection (RST) instead of ending it, so that the peer can't take a cut-off message
    /// without declared length for a whole one. Best effort.
    fn reset_on_drop(&mut self) {}
}

/// What is known of the other side of a stream without reading from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Nothing speaks against its being there.
    There,
    /// It has shut its sending side; no more than `unread` bytes of what it sent are still to be read.
    Finished {
        /// In bytes; may be too much, never too little.
        unread: u64,
    },
    /// The connection was reset, or is shut in both directions.
    Gone,
}

impl Peer {
    /// From what the reactor has seen of a socket; `unread` tells what waits in its receive queue.
    pub fn of_socket(ready: Ready, unread: impl FnOnce() -> u64) -> Self {
        if ready.is_write_closed() {
            Self::Gone
        } else if ready.is_read_closed() {
            Self::Finished { unread: unread() }
        } else {
            Self::There
        }
    }
}

/// The readiness that `ready` gives at once, or none.
///
/// Meant for `TcpStream::ready` and its like, with an interest in both directions.
pub fn ready_now(ready: impl Future<Output = io::Result<Ready>>) -> Ready {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(ready).poll(&mut cx) {
        Poll::Ready(Ok(ready)) => ready,
        Poll::Ready(Err(_)) | Poll::Pending => Ready::EMPTY,
    }
}

impl Io for TcpStream {
    const ORDERLY_DROP: bool = true;

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn is_quiet(&mut self) -> bool {
        self.try_io(Interest::READABLE, || Ok(())).is_err()
    }

    fn peer(&mut self) -> Peer {
        let ready = ready_now(self.ready(Interest::READABLE | Interest::WRITABLE));
        Peer::of_socket(ready, || u64::MAX)
    }

    fn reset_on_drop(&mut self) {
        // A socket that refuses the option is closed in the ordinary way.
        let _refused = self.set_zero_linger();
    }
}

impl Io for UnixStream {
    const ORDERLY_DROP: bool = true;

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn is_quiet(&mut self) -> bool {
        self.try_io(Interest::READABLE, || Ok(())).is_err()
    }
}

/// In-memory streams tell nothing about readiness without a read, so they are always "maybe readable".
impl Io for DuplexStream {
    fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_quiet(&mut self) -> bool {
        false
    }
}

impl<T: Io> Io for Box<T> {
    const ORDERLY_DROP: bool = T::ORDERLY_DROP;

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_readable(cx)
    }

    fn is_quiet(&mut self) -> bool {
        (**self).is_quiet()
    }

    fn peer(&mut self) -> Peer {
        (**self).peer()
    }

    fn reset_on_drop(&mut self) {
        (**self).reset_on_drop();
    }
}
