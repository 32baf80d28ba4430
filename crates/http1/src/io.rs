//! What the codec asks of a byte stream.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest};
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

    /// Asks that the coming drop resets the connection (RST) instead of ending it, so that the peer can't take a cut-off message
    /// without declared length for a whole one. Best effort.
    fn reset_on_drop(&mut self) {}
}

impl Io for TcpStream {
    const ORDERLY_DROP: bool = true;

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn is_quiet(&mut self) -> bool {
        self.try_io(Interest::READABLE, || Ok(())).is_err()
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

    fn reset_on_drop(&mut self) {
        (**self).reset_on_drop();
    }
}
