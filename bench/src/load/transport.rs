//! A non-blocking socket with or without TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

#[derive(Debug)]
pub(super) struct Transport {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Decrypted bytes not yet read.
    plaintext: usize,
}

impl Transport {
    /// Begins to connect; the socket turns writable when that is done.
    pub(super) fn connect(target: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let family = if target.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &target) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let tls = tls.map(session).transpose()?;
        Ok(Self {
            socket: TcpStream::from(socket),
            tls,
            plaintext: 0,
        })
    }

    /// The outcome of the connect, once the socket turned writable.
    pub(super) fn connected(&self) -> io::Result<()> {
        match self.socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether requests may be written.
    pub(super) fn ready(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    pub(super) fn resumed(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// Whether another `read` gives bytes without waiting for the socket.
    pub(super) fn has_buffered(&self) -> bool {
        self.plaintext > 0
    }

    /// Reads once. `WouldBlock` may also mean that TLS took what came.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.read(buffer);
        };
        if self.plaintext == 0 {
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            self.plaintext = state.plaintext_bytes_to_read();
            if self.plaintext == 0 && state.peer_has_closed() {
                return Ok(0);
            }
        }
        let read = tls.reader().read(buffer)?;
        self.plaintext = self.plaintext.saturating_sub(read);
        Ok(read)
    }

    /// Takes bytes: the socket's share of them, or all of them into the TLS session.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => match self.socket.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                result => result,
            },
            Some(tls) => tls.writer().write(bytes),
        }
    }

    /// Sends what TLS holds. Whether all of it is gone.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            return Ok(true);
        };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn session(config: &Arc<ClientConfig>) -> io::Result<Box<ClientConnection>> {
    let name = ServerName::try_from("bench.example").map_err(io::Error::other)?;
    let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    session.set_buffer_limit(None);
    Ok(Box::new(session))
}
