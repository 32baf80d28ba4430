//! What holds for the whole life of a server.

use std::{num::NonZeroUsize, thread, time::Duration};

use crate::inherited::Inherited;

/// What holds for the whole life of a server.
pub struct Settings {
    /// Worker threads. One for each core is right, unless other work shares the machine.
    pub workers: NonZeroUsize,
    /// How long [`Server::drain`](crate::Server::drain) waits for requests and tunnels to finish.
    pub drain_timeout: Duration,
    /// How long an idle HTTP/1 connection is kept open once it is to end. A request that comes
    /// within this time is answered, with `Connection: close`; a connection closed at once would
    /// break a request that is already on its way to it.
    pub drain_grace: Duration,
    /// Ties each worker to one of the cores that the process may use.
    pub pin_cpus: bool,
    /// Listening sockets taken over from another process.
    pub inherited: Inherited,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            drain_timeout: Duration::from_secs(30),
            drain_grace: Duration::from_secs(1),
            pin_cpus: false,
            inherited: Inherited::default(),
        }
    }
}
