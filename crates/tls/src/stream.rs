use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use lintel_http1::Peer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::TlsConnection;
use crate::info::{PeerCertificate, TlsInfo};
use crate::socket::Socket;

/// The byte stream of the data path: a socket, bare or under TLS.
///
/// An end of the stream that TLS did not announce (no `close_notify`) is an `UnexpectedEof` error
/// and not an end: it may be an attacker cutting a message short (RFC 8446 §6.1).
#[derive(Debug)]
pub enum Stream {
    /// Bytes go over the socket as they are.
    Plain(Socket),
    /// Bytes are encrypted. Boxed, so that a plain connection does not pay for the TLS state.
    Tls(Box<TlsConnection>),
}

impl Stream {
    /// Ready once a read may find something: decrypted bytes, raw bytes on the socket, the end of
    /// the stream or an error. Costs no system call. Under TLS the raw bytes may turn out to be no
    /// data at all (a session ticket, a key update); a read then waits as usual.
    ///
    /// # Errors
    ///
    /// Only if the runtime is shutting down.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => socket.poll_readable(cx),
            Self::Tls(tls) => tls.poll_readable(cx),
        }
    }

    /// True while the peer has sent no data and is still there, as far as the reactor knows: what
    /// an idle connection must be to be used again. No system call in the usual case. Under TLS,
    /// session tickets and key updates that have arrived are taken in on the way and do not count.
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            Self::Tls(tls) => tls.is_quiet(),
        }
    }

    /// What is known of the other side without a read. Under TLS, bytes that wait are counted as
    /// they came, with the records around them.
    pub fn peer(&self) -> Peer {
        match self {
            Self::Plain(socket) => socket.peer(),
            Self::Tls(tls) => tls.peer(),
        }
    }

    /// What the handshake settled; none on a plain stream.
    pub fn tls_info(&self) -> Option<TlsInfo<'_>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls.info()),
        }
    }

    /// The peer's certificate, parsed anew on every call; none on a plain stream or if the peer
    /// showed none. On a server's stream it has been verified against the listener's client CA.
    pub fn peer_certificate(&self) -> Option<PeerCertificate> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.peer_certificate(),
        }
    }

    /// The socket underneath.
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }

    /// Moves the stream to the reactor of the current runtime, TLS state and all.
    ///
    /// # Errors
    ///
    /// If the socket cannot leave the old reactor or join the new one.
    pub fn reregister(self) -> io::Result<Self> {
        match self {
            Self::Plain(socket) => socket.reregister().map(Self::Plain),
            Self::Tls(tls) => tls.reregister().map(Self::Tls),
        }
    }
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self::Plain(socket)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(tls) => tls.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    /// Under TLS, accepted bytes may still wait as ciphertext: [`poll_flush`](Self::poll_flush)
    /// tells when the socket has them all.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(tls) => tls.poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => tls.poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(tls) => tls.poll_flush(cx),
        }
    }

    /// Under TLS, sends `close_notify` first (RFC 8446 §6.1).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => tls.poll_shutdown(cx),
        }
    }
}
