//! A worker: one thread, one current-thread runtime, its own sockets, pools and counters.

mod accept;
mod affinity;
mod core;
mod gate;
mod listener;
mod serve;

use std::{
    io,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use lintel_proxy::Snapshot;
use lintel_telemetry::Catalogue;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::mpsc::UnboundedReceiver,
};

pub(crate) use self::{
    core::{Core, Counted},
    gate::{ClientPass, Gate, Pass},
    listener::Listener,
};
use crate::{
    socket::{Hand, Key},
    spec::ListenerSpec,
    vitals::Vitals,
};

/// What a worker is started with.
pub(crate) struct Seed {
    pub(crate) index: usize,
    pub(crate) pin: bool,
    pub(crate) grace: Duration,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) commands: UnboundedReceiver<Command>,
    pub(crate) first: Publication,
}

/// What the control side asks of a worker.
pub(crate) enum Command {
    /// Serve another configuration.
    Publish(Publication),
    /// Tell how things are.
    Status(mpsc::Sender<WorkerStatus>),
    /// Stop accepting, let everything finish, and end at the deadline at the latest.
    Drain {
        deadline: Instant,
        /// Another process has the listening sockets.
        handed_over: bool,
    },
}

/// A configuration for one worker.
pub(crate) struct Publication {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) listeners: Arc<[(Arc<ListenerSpec>, Arc<Gate>)]>,
    /// Which listener takes connections in which place.
    pub(crate) places: Arc<[(Key, u16)]>,
    /// New sockets of this worker.
    pub(crate) sockets: Hand,
    /// Told once it is in force.
    pub(crate) done: mpsc::Sender<io::Result<()>>,
}

/// How one worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its index.
    pub worker: usize,
    /// Whether it answered in time; if not, the rest is unknown and 0.
    pub responsive: bool,
    /// Open client connections.
    pub connections: usize,
    /// Requests being served, tunnels included.
    pub active: usize,
    /// The configuration that its new requests run on.
    pub generation: u64,
}

/// What a worker had to cut off at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
}

/// Runs a worker on the calling thread until it has drained.
pub(crate) fn run(seed: Seed) -> Ended {
    if seed.pin
        && let Err(error) = affinity::pin(seed.index)
    {
        tracing::warn!(worker = seed.index, %error, "the worker can't be tied to a core");
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    let ended = match runtime {
        // Dropping the runtime drops what is still open.
        Ok(runtime) => runtime.block_on(serve::serve(seed)),
        Err(error) => {
            // The control side gives up if nobody takes the message.
            let _ = seed.first.done.send(Err(error));
            Ended::default()
        }
    };
    lintel_telemetry::sink::flush();
    ended
}
