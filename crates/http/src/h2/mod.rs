//! HTTP/2 messages on a worker: bodies as they come in and go out, and tunnels. Connections belong to
//! the crates that hold them.

mod duplex;
mod fields;
mod incoming;
mod outgoing;

use std::future::Future;

pub use duplex::Duplex;
pub use fields::remove_connection_fields;
pub use incoming::{Incoming, Pace};
pub use outgoing::{Lost, Outgoing};

/// What every HTTP/2 connection begins with (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Futures beyond this size are boxed before they are spawned: the runtime copies a future several
/// times until it is where it stays.
const LARGE: usize = 512;

/// Spawns hyper's per-connection and per-stream futures on the current worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        if size_of::<F>() > LARGE {
            tokio::task::spawn_local(Box::pin(future));
        } else {
            tokio::task::spawn_local(future);
        }
    }
}
