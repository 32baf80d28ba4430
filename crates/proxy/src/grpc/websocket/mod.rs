//! Streams of calls over WebSocket (RFC 6455): a JSON value a message, in both directions at once.

mod inlet;
mod open;
mod session;
mod socket;

use std::time::Duration;

pub(super) use self::open::{asked, open};
pub(crate) use self::session::Session;

/// Who may open WebSockets, and what they may do.
#[derive(Clone, Debug)]
pub struct WebSockets {
    /// Origins, in lower case, whose pages may open one; none for that of the request's own host.
    pub origins: Option<Vec<Box<str>>>,
    /// Largest message of a client, in bytes.
    pub max_message: usize,
    /// How long a call may last.
    pub max_duration: Option<Duration>,
}
