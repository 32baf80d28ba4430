use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lintel_http1::Peer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::handshake_error::{self, Role};
use crate::hello;
use crate::info::{PeerCertificate, TlsInfo};
use crate::plaintext;
use crate::scratch::{self, JOIN_SIZE, MAX_HELD, Output, READ_SIZE, Scratch, WRITE_SIZE};
use crate::session::{Driven, Goal, Progress, Session, Sink, Spill};
use crate::socket::Socket;

/// One TLS connection: a socket, rustls' state, and the few bytes that wait on either side.
///
/// Holds no buffer while idle. A half-received record, plaintext that the reader had no room for
/// and ciphertext that the socket did not take are kept in exactly sized queues, freed as soon as
/// they run empty.
pub struct TlsConnection {
    socket: Socket,
    session: Session,
    /// Received ciphertext that is not taken in yet.
    pending: Vec<u8>,
    plain: Spill,
    unsent: Spill,
    sni: Option<Box<str>>,
    failure: Option<Failure>,
    /// `pending` ends within a record: nothing to do before more bytes arrive.
    starved: bool,
    /// The first bytes have arrived and were TLS.
    heard: bool,
    peer_closed: bool,
    close_sent: bool,
}

/// Why the bytes stopped.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    /// The end of the stream, unannounced.
    Eof,
    Tls(rustls::Error),
    /// Our resolver refused the name that the client asked for.
    Refused(hello::Refusal),
    /// The first bytes are a plain HTTP message.
    PlainHttp,
    /// The handshake took longer than this.
    TimedOut(Duration),
}

/// A fault that ended the session; every later read and write reports it.
struct Failure {
    kind: io::ErrorKind,
    text: Box<str>,
}

impl TlsConnection {
    pub(crate) fn new(socket: Socket, session: Session) -> Self {
        Self {
            socket,
            session,
            pending: Vec::new(),
            plain: Spill::default(),
            unsent: Spill::default(),
            sni: None,
            failure: None,
            starved: false,
            heard: false,
            peer_closed: false,
            close_sent: false,
        }
    }

    /// Ready once the handshake is through and our part of it is with the socket.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        loop {
            ready!(self.poll_unsent(cx)).map_err(Fault::Io)?;
            if !self.session.common().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_pull(cx, None))?;
        }
    }

    pub(crate) fn info(&self) -> TlsInfo<'_> {
        TlsInfo::new(self.session.common(), self.sni.as_deref())
    }

    pub(crate) fn peer_certificate(&self) -> Option<PeerCertificate> {
        let chain = self.session.common().peer_certificates()?;
        PeerCertificate::parse(chain.first()?)
    }

    pub(crate) fn session(&self) -> &rustls::CommonState {
        self.session.common()
    }

    pub(crate) fn sni(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    pub(crate) fn role(&self) -> Role {
        match self.session {
            Session::Client(_) => Role::Client,
            Session::Server(_) => Role::Server,
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The socket and the bytes read from it that are not taken in.
    pub(crate) fn into_socket(self) -> (Socket, Vec<u8>) {
        (self.socket, self.pending)
    }

    /// Whether any byte of TLS has come from the peer.
    pub(crate) fn heard(&self) -> bool {
        self.heard
    }

    /// Bytes of heap that hold waiting data, in either direction; zero while idle.
    pub fn held_bytes(&self) -> usize {
        self.pending.capacity() + self.plain.capacity() + self.unsent.capacity()
    }

    pub(crate) fn reregister(mut self: Box<Self>) -> io::Result<Box<Self>> {
        self.socket = self.socket.reregister()?;
        Ok(self)
    }

    pub(crate) fn peer(&self) -> Peer {
        let held = (self.pending.len() + self.plain.rest().len()) as u64;
        match self.socket.peer() {
            Peer::Finished { unread } => Peer::Finished {
                unread: unread.saturating_add(held),
            },
            Peer::There if self.peer_closed => Peer::Finished { unread: held },
            peer => peer,
        }
    }

    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_news() {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_readable(cx)
    }

    pub(crate) fn is_quiet(&mut self) -> bool {
        /// More reads than tickets and key updates of a sane peer would need.
        const MAX_READS: usize = 4;
        for _ in 0..MAX_READS {
            if self.has_news() {
                return false;
            }
            match self.take_waiting() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(()) => return false,
            }
        }
        false
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if !self.unsent.is_empty() {
            // The answer to a key update; nobody else may come to flush it. If that fails, there
            // may still be something to read.
            let _ = self.poll_unsent(cx);
        }
        while buf.filled().len() == before && buf.remaining() > 0 {
            if !self.plain.is_empty() {
                self.take_plain(buf);
            } else if let Some(failure) = &self.failure {
                return Poll::Ready(Err(failure.to_io()));
            } else if self.peer_closed {
                break;
            } else if let Err(fault) = ready!(self.poll_pull(cx, Some(buf)))
                && buf.filled().len() == before
                && self.plain.is_empty()
            {
                return Poll::Ready(Err(self.io_error(fault)));
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_unsent(cx))?;
        let (now, _) = buf.split_at_checked(WRITE_SIZE).unwrap_or((buf, &[]));
        Poll::Ready(
            scratch::with(|scratch| self.seal(cx, scratch, now)).unwrap_or_else(scratch_in_use),
        )
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = bufs.iter().filter(|buf| !buf.is_empty());
        let Some(first) = filled.next() else {
            return Poll::Ready(Ok(0));
        };
        if first.len() >= JOIN_SIZE || filled.next().is_none() {
            return self.poll_write(cx, first);
        }
        ready!(self.poll_unsent(cx))?;
        let sealed = scratch::with(|scratch| {
            let mut join = std::mem::take(&mut scratch.join);
            join.clear();
            for buf in bufs {
                let room = JOIN_SIZE - join.len();
                let (now, _) = buf.split_at_checked(room).unwrap_or((buf, &[]));
                join.extend_from_slice(now);
            }
            let sealed = self.seal(cx, scratch, &join);
            scratch.join = join;
            sealed
        });
        Poll::Ready(sealed.unwrap_or_else(scratch_in_use))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_unsent(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.close_sent && self.failure.is_none() {
            self.close_sent = true;
            scratch::with(|scratch| {
                let _ = self.step(scratch, 0, None, Goal::CloseNotify);
                self.unsent.push(scratch.output.filled());
            });
        }
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// A read would return at once.
    fn has_news(&self) -> bool {
        !self.plain.is_empty()
            || (!self.starved && !self.pending.is_empty())
            || self.peer_closed
            || self.failure.is_some()
    }

    fn take_plain(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = self.plain.rest();
        let (now, _) = rest
            .split_at_checked(buf.remaining())
            .unwrap_or((rest, &[]));
        let taken = now.len();
        buf.put_slice(now);
        self.plain.take(taken);
    }

    /// Takes in what there is: pending records first, then one read from the socket. Plaintext
    /// goes to `direct` as far as there is room.
    fn poll_pull(
        &mut self,
        cx: &mut Context<'_>,
        direct: Option<&mut ReadBuf<'_>>,
    ) -> Poll<Result<(), Fault>> {
        let pulled = scratch::with(|scratch| {
            let mut arrived = 0;
            if self.starved {
                let mut room = ReadBuf::new(self.read_room(scratch)?);
                match Pin::new(&mut self.socket).poll_read(cx, &mut room) {
                    Poll::Pending => return Ok(Poll::Pending),
                    Poll::Ready(read) => read.map_err(Fault::Io)?,
                }
                arrived = room.filled().len();
                if arrived == 0 {
                    return Err(Fault::Eof);
                }
            }
            let taken = self.take_in(scratch, arrived, direct);
            let sent = self.send(cx, &scratch.output);
            taken?;
            sent.map_err(Fault::Io)?;
            Ok(Poll::Ready(()))
        });
        match pulled {
            Some(Ok(Poll::Pending)) => Poll::Pending,
            Some(Ok(Poll::Ready(()))) => Poll::Ready(Ok(())),
            Some(Err(fault)) => Poll::Ready(Err(fault)),
            None => Poll::Ready(scratch_in_use().map_err(Fault::Io)),
        }
    }

    /// One read that does not wait. `Ok(false)` if there was nothing to read.
    fn take_waiting(&mut self) -> Result<bool, ()> {
        scratch::with(|scratch| {
            let room = self.read_room(scratch).map_err(drop)?;
            match self.socket.try_read(room) {
                Ok(0) => Err(()),
                Ok(arrived) => {
                    let taken = self.take_in(scratch, arrived, None);
                    self.unsent.push(scratch.output.filled());
                    taken.map(|()| true).map_err(drop)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                Err(_) => Err(()),
            }
        })
        .unwrap_or(Err(()))
    }

    /// Where the next bytes from the socket go: right after the pending ones.
    fn read_room<'s>(&self, scratch: &'s mut Scratch) -> Result<&'s mut [u8], Fault> {
        let held = self.pending.len();
        if held > MAX_HELD {
            return Err(Fault::Tls(rustls::Error::PeerSentOversizedRecord));
        }
        let room = scratch.input.get_mut(held..held + READ_SIZE);
        room.ok_or(Fault::Tls(rustls::Error::PeerSentOversizedRecord))
    }

    /// Takes in the pending bytes and `arrived` more that were read in behind them. Records for
    /// the peer are left in the scratch output.
    fn take_in(
        &mut self,
        scratch: &mut Scratch,
        arrived: usize,
        direct: Option<&mut ReadBuf<'_>>,
    ) -> Result<(), Fault> {
        if !self.heard && arrived > 0 {
            let at = self.pending.len();
            let first = scratch.input.get(at..at + arrived).unwrap_or_default();
            if plaintext::is_http(first) {
                self.pending.extend_from_slice(first);
                return Err(Fault::PlainHttp);
            }
            self.heard = true;
        }
        self.step(scratch, arrived, direct, Goal::Read).map(drop)
    }

    /// One drive of the session over the pending bytes and `arrived` more behind them.
    fn step(
        &mut self,
        scratch: &mut Scratch,
        arrived: usize,
        direct: Option<&mut ReadBuf<'_>>,
        goal: Goal<'_>,
    ) -> Result<Progress, Fault> {
        let held = self.pending.len();
        let Some(input) = scratch.input.get_mut(..held + arrived) else {
            return Err(Fault::Tls(rustls::Error::PeerSentOversizedRecord));
        };
        if let Some(front) = input.get_mut(..held) {
            front.copy_from_slice(&self.pending);
        }
        let mut sink = Sink {
            direct,
            spill: &mut self.plain,
        };
        let driven = self
            .session
            .drive(input, &mut sink, &mut scratch.output, goal);
        let rest = input.get(driven.consumed..).unwrap_or_default();
        if rest.is_empty() {
            self.pending = Vec::new();
        } else {
            self.pending.clear();
            self.pending.extend_from_slice(rest);
        }
        self.conclude(driven, &mut scratch.output)
    }

    fn conclude(&mut self, driven: Driven, output: &mut Output) -> Result<Progress, Fault> {
        self.peer_closed |= driven.peer_closed;
        let mut refusal = None;
        if let Some(heard) = hello::take() {
            self.sni = heard.server_name;
            refusal = heard.refusal;
        }
        match driven.result {
            Ok(progress) => {
                self.starved = progress != Progress::Full;
                Ok(progress)
            }
            Err(error) => {
                let fault = match refusal {
                    Some(refusal) => {
                        output.replace(&refusal.alert_record());
                        Fault::Refused(refusal)
                    }
                    None => Fault::Tls(error),
                };
                let io = self.io_error_of(&fault);
                self.failure = Some(Failure {
                    kind: io.kind(),
                    text: io.to_string().into(),
                });
                Err(fault)
            }
        }
    }

    fn seal(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        plain: &[u8],
    ) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(failure.to_io());
        }
        if self.close_sent {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if plain.is_empty() {
            return Ok(0);
        }
        let sealed = self.step(scratch, 0, None, Goal::Seal(plain));
        let sent = self.send(cx, &scratch.output);
        match sealed {
            Ok(Progress::Done) => sent.map(|()| plain.len()),
            Ok(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(fault) => Err(self.io_error(fault)),
        }
    }

    /// Passes ciphertext to the socket; what it does not take waits in `unsent`.
    fn send(&mut self, cx: &mut Context<'_>, output: &Output) -> io::Result<()> {
        let mut rest = output.filled();
        while self.unsent.is_empty() && !rest.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => rest = rest.get(written..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.unsent.push(rest);
        Ok(())
    }

    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let rest = self.unsent.rest();
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.take(written);
        }
        Poll::Ready(Ok(()))
    }

    fn io_error(&self, fault: Fault) -> io::Error {
        match fault {
            Fault::Io(error) => error,
            other => self.io_error_of(&other),
        }
    }

    fn io_error_of(&self, fault: &Fault) -> io::Error {
        let kind = match fault {
            Fault::Io(error) => error.kind(),
            Fault::Eof => io::ErrorKind::UnexpectedEof,
            Fault::TimedOut(_) => io::ErrorKind::TimedOut,
            Fault::Tls(_) | Fault::Refused(_) | Fault::PlainHttp => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, handshake_error::describe(fault, self.role()).1)
    }
}

impl Failure {
    fn to_io(&self) -> io::Error {
        io::Error::new(self.kind, &*self.text)
    }
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection")
            .field("socket", &self.socket)
            .field("sni", &self.sni)
            .field("held_bytes", &self.held_bytes())
            .finish_non_exhaustive()
    }
}

fn scratch_in_use<T>() -> io::Result<T> {
    Err(io::Error::other("TLS buffers are in use on this thread"))
}
