//! The client side: one upstream connection, one request at a time.

mod connection;
mod error;
mod incoming;
mod pump;
mod send;

use std::time::Duration;

use http::{HeaderValue, Response};
use tokio::time::Instant;

pub use self::connection::Conn;
pub use self::error::{Failure, SendError};
pub use self::incoming::Incoming;
use crate::timer::Timer;
use crate::upgraded::Upgraded;

/// Limits and times of upstream connections.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of a response head.
    pub max_header_bytes: usize,
    /// Header fields of a response, at most 256.
    pub max_headers: usize,
    /// Interim responses before the final one.
    pub max_interim: u32,
    /// Longest pause inside a response body; then [`BodyError::Timeout`](crate::BodyError::Timeout).
    pub body_idle_timeout: Duration,
    /// Longest time without progress in writing a request.
    pub write_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_interim: 16,
            body_idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// What one request asks of the connection.
#[derive(Clone, Copy)]
pub struct SendOptions<'a> {
    /// Limits and times.
    pub options: &'a Options,
    /// The timer of the task that sends; the response body keeps a handle to it.
    pub timer: &'a Timer,
    /// Asks to switch to this protocol (`Connection: upgrade` and `Upgrade`, RFC 9110 §7.8).
    pub upgrade: Option<&'a HeaderValue>,
    /// Sends `Expect: 100-continue` and holds the body back until the upstream asks for it, answers, or this time has passed
    /// (RFC 9110 §10.1.1). Without effect on a request without body.
    pub expect_continue: Option<Duration>,
    /// Sends `TE: trailers` (RFC 9110 §10.1.4).
    pub te_trailers: bool,
}

impl<'a> SendOptions<'a> {
    /// A plain request: no upgrade, no expectation.
    pub fn new(options: &'a Options, timer: &'a Timer) -> Self {
        Self {
            options,
            timer,
            upgrade: None,
            expect_continue: None,
            te_trailers: false,
        }
    }
}

/// Takes back connections that can carry another request.
pub trait Recycle<IO> {
    /// Called once a response was complete and exact, its request was sent whole, and both sides keep the connection. That may be
    /// before the response reaches the caller, if its whole body came with the head. A connection for which this is not called is
    /// closed.
    fn recycle(&self, conn: Conn<IO>);
}

/// An answer.
pub struct Sent<IO> {
    /// Head and body; hop-by-hop fields are removed (RFC 9110 §7.6.1).
    pub response: Response<Incoming<IO>>,
    /// The connection, after a 101 that was asked for or a 2xx to CONNECT; the body is empty then.
    pub upgraded: Option<Upgraded<IO>>,
    /// When the final head was complete.
    pub received_at: Instant,
}
