use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lintel_http1::{Peer, ready_now};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected stream socket, TCP or Unix.
///
/// One type for both keeps the data path free of boxing: every read and write is a direct call
/// behind a two-way branch.
#[derive(Debug)]
pub enum Socket {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A Unix stream connection.
    Unix(UnixStream),
}

/// Runs the same expression on whichever socket it is.
macro_rules! on_socket {
    ($socket:expr, $io:ident => $run:expr) => {
        match $socket {
            Socket::Tcp($io) => $run,
            Socket::Unix($io) => $run,
        }
    };
}

impl Socket {
    /// Ready once the reactor knows of something to read: bytes, the end of the stream or an
    /// error. Costs no system call. May be ready once too often: a read may still find nothing.
    ///
    /// # Errors
    ///
    /// Only if the runtime is shutting down.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_socket!(self, io => io.poll_read_ready(cx))
    }

    /// True while the peer has sent nothing and is still there, as far as the reactor knows.
    ///
    /// Costs no system call unless the reactor reports readiness, which is then checked with one
    /// look at the receive queue. Leaves the task's read waker alone.
    pub fn is_quiet(&self) -> bool {
        let look = || {
            SockRef::from(self)
                .peek(&mut [std::mem::MaybeUninit::uninit(); 1])
                .map(drop)
        };
        let found = on_socket!(self, io => io.try_io(Interest::READABLE, look));
        matches!(found, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// What is known of the peer without a read. No system call before the peer has shut its
    /// sending side.
    pub fn peer(&self) -> Peer {
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = on_socket!(self, io => ready_now(io.ready(both)));
        Peer::of_socket(ready, || self.unread())
    }

    /// Bytes in the receive queue; all that there could be where the system does not tell.
    fn unread(&self) -> u64 {
        let mut bytes: libc::c_int = 0;
        // SAFETY: FIONREAD writes one `int` where its argument points, which lives beyond the call.
        let told = unsafe { libc::ioctl(self.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
        if told == 0 {
            u64::try_from(bytes).unwrap_or(u64::MAX)
        } else {
            u64::MAX
        }
    }

    /// Reads what is there without waiting and without touching the task's read waker.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there; whatever the read itself failed with.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        on_socket!(self, io => io.try_read(buf))
    }

    /// Waits for bytes and copies them into `buf` without taking them off the receive queue.
    /// Zero means that the peer closed its sending side.
    ///
    /// # Errors
    ///
    /// Whatever the socket reports.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let look = || {
            // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, and `recv` writes initialised
            // bytes only, so the caller's buffer stays initialised.
            let spare =
                unsafe { &mut *(std::ptr::from_mut(buf) as *mut [std::mem::MaybeUninit<u8>]) };
            SockRef::from(self).peek(spare)
        };
        on_socket!(self, io => io.async_io(Interest::READABLE, look).await)
    }

    /// Sends small segments at once (`TCP_NODELAY`). No effect on a Unix socket.
    ///
    /// # Errors
    ///
    /// Whatever the socket reports.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        match self {
            Self::Tcp(io) => io.set_nodelay(on),
            Self::Unix(_) => Ok(()),
        }
    }

    /// Makes dropping the socket reset the connection instead of ending it in good order, so that
    /// a peer cannot take a cut-off message for a complete one. No effect on a Unix socket.
    ///
    /// # Errors
    ///
    /// Whatever the socket reports.
    pub fn reset_on_drop(&self) -> io::Result<()> {
        match self {
            Self::Tcp(io) => io.set_zero_linger(),
            Self::Unix(_) => Ok(()),
        }
    }

    /// The peer's IP address and port; none for a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(io) => io.peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Our IP address and port; none for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(io) => io.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Moves the socket to the reactor of the current runtime. A worker that takes an idle
    /// connection from a sibling calls this first.
    ///
    /// # Errors
    ///
    /// If the socket cannot leave the old reactor or join the new one.
    pub fn reregister(self) -> io::Result<Self> {
        match self {
            Self::Tcp(io) => TcpStream::from_std(io.into_std()?).map(Self::Tcp),
            Self::Unix(io) => UnixStream::from_std(io.into_std()?).map(Self::Unix),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(io: TcpStream) -> Self {
        Self::Tcp(io)
    }
}

impl From<UnixStream> for Socket {
    fn from(io: UnixStream) -> Self {
        Self::Unix(io)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        on_socket!(self, io => io.as_fd())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_socket!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_socket!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_socket!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = on_socket!(self.get_mut(), io => ready!(Pin::new(io).poll_shutdown(cx)));
        Poll::Ready(match closed {
            // The peer reset the connection first: there is nothing left to shut down.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        })
    }
}
