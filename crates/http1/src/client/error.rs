//! How a request fails.

use std::fmt;
use std::io;

use crate::error::Violation;

/// Why there is no answer. The connection is closed.
pub struct SendError<B, E> {
    /// What went wrong.
    pub failure: Failure<E>,
    /// The body, if nothing has been taken from it: the request may be sent again on another connection as far as the body goes.
    pub untouched_body: Option<B>,
    /// Whether a byte of a response was received; if so, the upstream has seen the request.
    pub response_started: bool,
}

/// What went wrong with a request.
#[derive(Debug)]
pub enum Failure<E> {
    /// Writing failed, and no answer was there to be read.
    Write(io::Error),
    /// The upstream took no bytes for the write timeout.
    WriteTimeout,
    /// The upstream ended the stream before the first byte of an answer: it may have closed an idle connection just before the
    /// request came (RFC 9112 §9.3.1).
    Closed,
    /// The stream failed (reset) before the head was complete.
    Read(io::Error),
    /// The upstream ended the stream inside the head.
    CutOff,
    /// The head breaks a rule.
    BadHead(Violation),
    /// The head is larger than the limits.
    HeadTooLarge,
    /// 101 to a request that did not ask for it (RFC 9110 §7.8).
    UnaskedUpgrade,
    /// The body of the request failed.
    RequestBody(E),
    /// The body of the request does not have the length its head declares, or the declaration is malformed.
    RequestLength,
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(error) => write!(f, "request could not be written: {error}"),
            Self::WriteTimeout => f.write_str("upstream took no bytes for the write timeout"),
            Self::Closed => f.write_str("upstream closed the connection before answering"),
            Self::Read(error) => write!(f, "answer could not be read: {error}"),
            Self::CutOff => {
                f.write_str("upstream closed the connection inside the head of its answer")
            }
            Self::BadHead(violation) => write!(f, "bad answer: {violation}"),
            Self::HeadTooLarge => f.write_str("head of the answer is too large"),
            Self::UnaskedUpgrade => f.write_str("upstream switched protocols unasked"),
            Self::RequestBody(error) => write!(f, "body of the request failed: {error}"),
            Self::RequestLength => {
                f.write_str("body of the request does not have its declared length")
            }
        }
    }
}

impl<B, E: fmt::Display> fmt::Display for SendError<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl<B, E: fmt::Display> fmt::Debug for SendError<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let untouched = self.untouched_body.is_some();
        write!(
            f,
            "SendError({}, untouched: {untouched}, started: {})",
            self.failure, self.response_started
        )
    }
}
