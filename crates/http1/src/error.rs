//! What can be wrong with a message or a connection.

use std::fmt;
use std::io;

use http::StatusCode;

/// A rule of the RFCs that a peer's bytes break. Neither text contains anything the peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, in a few words.
    pub reason: &'static str,
    /// The section that says so.
    pub section: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.section)
    }
}

impl std::error::Error for Violation {}

/// A request that the codec refuses before it becomes one: the status to answer and why. The connection closes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 408, 414, 417, 431, 501 or 505; 500 if a handler's answer can't be framed.
    pub status: StatusCode,
    /// What is wrong, in a few words; contains nothing that the client sent.
    pub reason: &'static str,
    /// The section that says so.
    pub section: &'static str,
}

impl Refusal {
    pub(crate) const fn new(
        status: StatusCode,
        reason: &'static str,
        section: &'static str,
    ) -> Self {
        Self {
            status,
            reason,
            section,
        }
    }

    pub(crate) const fn bad(reason: &'static str, section: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, section)
    }

    /// The broken rule without the status.
    pub fn violation(&self) -> Violation {
        Violation {
            reason: self.reason,
            section: self.section,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.violation())
    }
}

impl std::error::Error for Refusal {}

/// Why a received body ended before its end. After one of these the connection can't be used again.
#[derive(Debug)]
pub enum BodyError {
    /// The peer ended the stream before the message was complete (RFC 9112 §8).
    Truncated,
    /// More bytes than the limit set by the receiver: 413.
    TooLarge,
    /// No byte came for the idle timeout: 408 from a client, 504 from an upstream.
    Timeout,
    /// The chunked coding or the trailer section is broken (RFC 9112 §7.1).
    Malformed(Violation),
    /// The stream failed (reset, TLS error).
    Io(io::Error),
    /// The exchange this body belongs to is over.
    Closed,
}

impl BodyError {
    /// The status that tells the sender of this body what was wrong with it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Truncated | Self::Malformed(_) | Self::Io(_) | Self::Closed => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("body ended before its end"),
            Self::TooLarge => f.write_str("body is larger than the limit"),
            Self::Timeout => f.write_str("body stalled for longer than the idle timeout"),
            Self::Malformed(violation) => write!(f, "malformed body: {violation}"),
            Self::Io(error) => write!(f, "body could not be read: {error}"),
            Self::Closed => f.write_str("the exchange of this body is over"),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Malformed(violation) => Some(violation),
            Self::Truncated | Self::TooLarge | Self::Timeout | Self::Closed => None,
        }
    }
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
