//! HTTP/2 messages on a worker: bodies as they come in and go out, and tunnels. Connections belong to
//! the crates that hold them.

mod duplex;
mod fields;
mod incoming;
mod keep_alive;
mod outgoing;

pub use duplex::Duplex;
pub use fields::remove_connection_fields;
pub use incoming::{Incoming, Pace};
pub use keep_alive::KeepAlive;
pub use outgoing::{Advance, Lost, Outgoing};

/// What every HTTP/2 connection begins with (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
