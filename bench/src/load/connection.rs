//! One client connection: a transport and what its protocol is in the middle of.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use rustls::ClientConfig;

use super::Protocol;
use super::http1::Answer;
use super::http2::{Outcome, Session};
use super::request::Requests;
use super::transport::Transport;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// The socket is connected and TLS, if any, is done.
    pub(super) open: bool,
    /// The socket refused bytes: wait until it is writable.
    pub(super) blocked: bool,
    /// At least one answer came over it.
    pub(super) used: bool,
    /// The server announced the end: only its close is awaited.
    pub(super) closing: bool,
    dialogue: Dialogue,
}

#[derive(Debug)]
enum Dialogue {
    Http1 {
        answer: Answer,
        due: Option<Instant>,
        request: usize,
        sent: usize,
    },
    Http2 {
        session: Box<Session>,
        sent: usize,
    },
}

impl Connection {
    pub(super) fn connect(
        target: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        protocol: Protocol,
    ) -> io::Result<Self> {
        Ok(Self {
            transport: Transport::connect(target, tls)?,
            open: false,
            blocked: true,
            used: false,
            closing: false,
            dialogue: match protocol {
                Protocol::Http1 => Dialogue::Http1 {
                    answer: Answer::default(),
                    due: None,
                    request: 0,
                    sent: usize::MAX,
                },
                Protocol::Http2 => Dialogue::Http2 {
                    session: Box::new(Session::new()),
                    sent: 0,
                },
            },
        })
    }

    /// Takes a request; false where the connection has no room for it.
    pub(super) fn begin(&mut self, requests: &mut Requests, at: Instant) -> bool {
        match &mut self.dialogue {
            _ if self.closing => false,
            Dialogue::Http1 { due: Some(_), .. } => false,
            Dialogue::Http1 {
                due, request, sent, ..
            } => {
                *due = Some(at);
                *request = requests.advance();
                *sent = 0;
                true
            }
            Dialogue::Http2 { session, .. } => session.send(requests, at),
        }
    }

    /// Writes what waits to be sent, as far as the socket takes it.
    pub(super) fn write(&mut self, requests: &Requests) -> io::Result<()> {
        self.blocked = false;
        if self.transport.ready() {
            match &mut self.dialogue {
                Dialogue::Http1 { request, sent, .. } => {
                    let bytes = requests.http1.get(*request).map_or(&[][..], Vec::as_slice);
                    self.blocked = !send(&mut self.transport, bytes, sent)?;
                }
                Dialogue::Http2 { session, sent } => {
                    self.blocked = !send(&mut self.transport, &session.output, sent)?;
                    if !self.blocked {
                        session.output.clear();
                        *sent = 0;
                    }
                }
            }
        }
        if !self.transport.flush()? {
            self.blocked = true;
        }
        Ok(())
    }

    /// Reads once and reports what ended; false when nothing came.
    ///
    /// # Errors
    /// The peer closed, the socket failed, or the answer is wrong.
    pub(super) fn read(&mut self, buffer: &mut [u8], outcomes: &mut Vec<Outcome>) -> Result<bool> {
        let read = match self.transport.read(buffer) {
            Ok(0) => bail!("connection closed"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        match &mut self.dialogue {
            Dialogue::Http1 { due: None, .. } => bail!("bytes without a request"),
            Dialogue::Http1 { answer, due, .. } => {
                if let Some(complete) = answer.feed(bytes)? {
                    self.used = true;
                    self.closing = complete.close;
                    outcomes.extend(due.take().map(Outcome::Done));
                }
            }
            Dialogue::Http2 { session, .. } => {
                let before = outcomes.len();
                session.feed(bytes, outcomes)?;
                self.used |= outcomes.len() > before;
                self.closing |= session.draining;
            }
        }
        Ok(self.transport.has_buffered())
    }

    /// Whether an HTTP/2 connection that is to end has no more answers to give.
    pub(super) fn drained(&self) -> bool {
        matches!(&self.dialogue, Dialogue::Http2 { session, .. } if session.draining && session.idle())
    }

    /// Whether there is something to send that `write` has not been called for.
    pub(super) fn has_output(&self) -> bool {
        matches!(&self.dialogue, Dialogue::Http2 { session, .. } if !session.output.is_empty())
    }

    /// Whether the requests in flight may be sent again elsewhere: none has a byte of answer, and the connection had
    /// been in use, so that the server may have closed it for being idle.
    pub(super) fn repeatable(&self) -> bool {
        match &self.dialogue {
            Dialogue::Http1 { answer, .. } => self.used && answer.untouched(),
            Dialogue::Http2 { .. } => false,
        }
    }

    /// Due times of requests without an answer.
    pub(super) fn unanswered(&self) -> Vec<Instant> {
        match &self.dialogue {
            Dialogue::Http1 { due, .. } => due.iter().copied().collect(),
            Dialogue::Http2 { session, .. } => session.unanswered().collect(),
        }
    }

    /// Takes the requests without an answer.
    pub(super) fn take_unanswered(&mut self) -> Vec<Instant> {
        match &mut self.dialogue {
            Dialogue::Http1 { due, .. } => due.take().into_iter().collect(),
            Dialogue::Http2 { session, .. } => session.take_unanswered().collect(),
        }
    }
}

/// Writes from `sent` on; whether all is written.
fn send(transport: &mut Transport, bytes: &[u8], sent: &mut usize) -> io::Result<bool> {
    while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
        match transport.write(rest)? {
            0 => return Ok(false),
            written => *sent += written,
        }
    }
    Ok(true)
}
