//! How the service of a connection fails.

use std::fmt;
use std::io;

use crate::error::Refusal;
use crate::upgraded::Upgraded;

/// Why a connection ended other than in good order.
pub enum ServeError<IO> {
    /// A message was refused; the answer has been sent.
    Refused(Refusal),
    /// The client went away inside a request or before its answer was complete.
    ClientGone,
    /// The client took no bytes for the write timeout.
    WriteTimeout,
    /// Writing failed.
    Write(io::Error),
    /// The body of the answer failed, with its message; the client sees a cut-off answer.
    ReplyBody(String),
    /// The body of the answer does not have the length its head declared; the client sees a cut-off answer.
    ReplyLength,
    /// The client speaks HTTP/2 with prior knowledge (RFC 9113 §3.3): the stream with all its bytes.
    Http2(Box<Upgraded<IO>>),
}

impl<IO> fmt::Display for ServeError<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "request refused: {refusal}"),
            Self::ClientGone => f.write_str("client went away"),
            Self::WriteTimeout => f.write_str("client took no bytes for the write timeout"),
            Self::Write(error) => write!(f, "answer could not be written: {error}"),
            Self::ReplyBody(error) => write!(f, "body of the answer failed: {error}"),
            Self::ReplyLength => {
                f.write_str("body of the answer does not have its declared length")
            }
            Self::Http2(_) => f.write_str("client speaks HTTP/2"),
        }
    }
}

impl<IO> fmt::Debug for ServeError<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServeError({self})")
    }
}

impl<IO> std::error::Error for ServeError<IO> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

impl<IO> ServeError<IO> {
    pub(super) fn writing(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::WriteTimeout,
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => Self::ClientGone,
            _ => Self::Write(error),
        }
    }
}
