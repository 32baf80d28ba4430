//! The control side of the workers.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    os::fd::RawFd,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use lintel_proxy::Snapshot;
use lintel_telemetry::Catalogue;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    error::{PublishError, StartError},
    inherited::{Inherited, Passed},
    settings::Settings,
    socket::{self, Hand, Key, Place, Table},
    spec::{Generation, ListenerSpec},
    vitals::Vitals,
    worker::{self, Command, Ended, Gate, Publication, Seed, WorkerStatus},
};

/// How long the control side waits for a worker. A healthy one answers within a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// The workers of the process.
///
/// Its methods may block for a moment; call them from a control thread. None of them makes a worker
/// wait. Dropping it stops the workers at once.
pub struct Server {
    control: Mutex<Control>,
    workers: Vec<UnboundedSender<Command>>,
    latch: Arc<Latch>,
    drain_timeout: Duration,
    draining: AtomicBool,
    /// Measured as long as the server lives.
    vitals: Arc<Vitals>,
}

struct Control {
    table: Table,
    places: Vec<Place>,
    gates: HashMap<u16, Arc<Gate>>,
    generations: Vec<(u64, Weak<Snapshot>)>,
    threads: Vec<JoinHandle<()>>,
    handed_over: bool,
}

/// What a new configuration has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Places that were bound for it.
    pub opened: Vec<String>,
    /// Places that were given up.
    pub closed: Vec<String>,
    /// Workers that had not yet taken it over when the wait for them ended. They will.
    pub late: usize,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections that were still open at the timeout, and were closed.
    pub connections_cut: usize,
    /// Requests and tunnels among them that were not at their end.
    pub requests_cut: usize,
    /// How long it took.
    pub took: Duration,
}

impl DrainReport {
    /// Whether every request came to its end.
    pub const fn is_clean(&self) -> bool {
        self.requests_cut == 0
    }
}

impl Server {
    /// Binds the listeners of the first configuration and starts the workers. On return they accept.
    ///
    /// # Errors
    ///
    /// Every place that can't be listened in, each with the reason and what to do about it; or a
    /// thread that can't be started. Nothing is left behind.
    pub fn start(
        settings: Settings,
        first: Generation,
        catalogue: &Arc<Catalogue>,
    ) -> Result<Self, StartError> {
        let Settings {
            workers,
            drain_timeout,
            drain_grace,
            pin_cpus,
            mut inherited,
        } = settings;
        let count = workers.get();
        let mut control = Control {
            table: Table::new(count),
            places: Vec::new(),
            gates: HashMap::new(),
            generations: Vec::new(),
            threads: Vec::new(),
            handed_over: false,
        };
        let places = socket::places(&first.listeners).map_err(StartError::Conflict)?;
        let prepared = control
            .table
            .prepare(&places, &mut inherited)
            .map_err(StartError::Bind)?;
        if !inherited.is_empty() {
            tracing::warn!(sockets = ?inherited.names(), "inherited sockets that no listener is bound to are closed");
        }
        let (dealt, _) = control.table.commit(&places, prepared);
        let (done, ready) = mpsc::channel();
        let publications = control.publications(&first, places, dealt, &done);
        drop(done);
        let latch = Latch::new(count);
        let mut server = Self {
            control: Mutex::new(control),
            workers: Vec::new(),
            latch,
            drain_timeout,
            draining: AtomicBool::new(false),
            vitals: Vitals::start(),
        };
        for (index, publication) in publications.into_iter().enumerate() {
            let (sender, commands) = unbounded_channel();
            let seed = Seed {
                index,
                pin: pin_cpus,
                grace: drain_grace,
                catalogue: Arc::clone(catalogue),
                vitals: Arc::clone(&server.vitals),
                commands,
                first: publication,
            };
            server.spawn(seed).map_err(StartError::Worker)?;
            server.workers.push(sender);
        }
        server.await_workers(&ready, count)?;
        Ok(server)
    }

    fn spawn(&self, seed: Seed) -> io::Result<()> {
        let latch = Arc::clone(&self.latch);
        let name = format!("lintel-worker-{}", seed.index);
        let thread = thread::Builder::new().name(name).spawn(move || {
            let mut leaving = Leaving {
                latch,
                ended: Ended::default(),
            };
            leaving.ended = worker::run(seed);
        })?;
        self.control().threads.push(thread);
        Ok(())
    }

    fn await_workers(
        &self,
        ready: &mpsc::Receiver<io::Result<()>>,
        count: usize,
    ) -> Result<(), StartError> {
        for _ in 0..count {
            match ready.recv_timeout(PATIENCE) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(StartError::Worker(error)),
                Err(_) => return Err(StartError::Worker(io::ErrorKind::TimedOut.into())),
            }
        }
        Ok(())
    }

    /// Goes over to another configuration, wholly or not at all.
    ///
    /// New places are bound before anything else happens. A listener that stays keeps its sockets:
    /// new limits, TLS settings and rules hold for the connections it accepts from now on, routes
    /// and policies for all new requests. The connections of a listener that is gone are drained.
    /// Returns once every worker has gone over, or with a count of those that are late.
    ///
    /// # Errors
    ///
    /// A place can't be listened in, or the server is draining. Nothing has changed then.
    pub fn publish(&self, next: &Generation) -> Result<Applied, PublishError> {
        let mut control = self.control();
        if self.is_draining() {
            return Err(PublishError::Draining);
        }
        let places = socket::places(&next.listeners).map_err(PublishError::Conflict)?;
        let prepared = control
            .table
            .prepare(&places, &mut Inherited::default())
            .map_err(PublishError::Bind)?;
        let (dealt, gone) = control.table.commit(&places, prepared);
        let before: Vec<Key> = control
            .places
            .iter()
            .map(|place| Arc::clone(&place.key))
            .collect();
        let opened = places.iter().filter(|place| !before.contains(&place.key));
        let mut applied = Applied {
            opened: opened.map(|place| place.key.to_string()).collect(),
            closed: gone.iter().map(ToString::to_string).collect(),
            late: self.workers.len(),
        };
        let (done, ready) = mpsc::channel();
        let publications = control.publications(next, places, dealt, &done);
        drop(done);
        for (worker, publication) in self.workers.iter().zip(publications) {
            // A worker that is gone is gone for good; the others serve on.
            let _ = worker.send(Command::Publish(publication));
        }
        let deadline = Instant::now() + PATIENCE;
        while ready
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_ok()
        {
            applied.late -= 1;
        }
        Ok(applied)
    }

    /// Every listener's name with the addresses it really listens on; a Unix socket has none.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        let control = self.control();
        let address = |place: &Place| {
            Some((
                Arc::clone(&place.listener.name),
                control.table.address(&place.key)?,
            ))
        };
        control.places.iter().filter_map(address).collect()
    }

    /// How each worker is doing. Waits for their answers, for at most a second.
    pub fn status(&self) -> Vec<WorkerStatus> {
        let (to, answers) = mpsc::channel();
        for worker in &self.workers {
            let _ = worker.send(Command::Status(to.clone()));
        }
        drop(to);
        let silent = |worker| WorkerStatus {
            worker,
            ..WorkerStatus::default()
        };
        let mut all: Vec<_> = (0..self.workers.len()).map(silent).collect();
        let deadline = Instant::now() + Duration::from_secs(1);
        while let Ok(status) =
            answers.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if let Some(slot) = all.get_mut(status.worker) {
                *slot = status;
            }
        }
        all
    }

    /// Configurations that a request or a connection still runs on, the oldest first.
    pub fn generations(&self) -> Vec<u64> {
        let mut control = self.control();
        control
            .generations
            .retain(|(_, snapshot)| snapshot.strong_count() > 0);
        control
            .generations
            .iter()
            .map(|(generation, _)| *generation)
            .collect()
    }

    /// All listening sockets with the keys that another process finds its own by. The descriptors
    /// stay valid until the next [`publish`](Self::publish) or [`drain`](Self::drain).
    pub fn listening_sockets(&self) -> Vec<(String, RawFd)> {
        let passed = self.passed().into_iter();
        passed.map(|socket| (socket.key, socket.fd)).collect()
    }

    pub(crate) fn passed(&self) -> Vec<Passed> {
        self.control().table.sockets()
    }

    /// Notes that another process has taken over the listening sockets: a drain then leaves them, and
    /// the files of Unix sockets, as they are. [`hand_over`](crate::handover::hand_over) does so.
    pub fn handed_over(&self) {
        self.control().handed_over = true;
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Stops accepting, lets requests and tunnels finish, and ends the workers.
    ///
    /// Connections that wait in the listening sockets' queues are still taken and served. Idle
    /// connections are closed: HTTP/2 by GOAWAY at once, HTTP/1 after the grace of the settings.
    /// What is not at its end after `timeout`, or the settings' drain timeout, is cut off. Called
    /// again meanwhile, it can only bring the end nearer.
    pub fn drain(&self, timeout: Option<Duration>) -> DrainReport {
        let begun = Instant::now();
        self.draining.store(true, Relaxed);
        let (threads, handed_over) = {
            let mut control = self.control();
            let handed_over = control.handed_over;
            // Before the workers': a socket whose last descriptor is a worker's loses nothing, as the
            // worker empties its queue before it closes it.
            control.table.clear(!handed_over);
            (std::mem::take(&mut control.threads), handed_over)
        };
        let deadline = begun + timeout.unwrap_or(self.drain_timeout);
        for worker in &self.workers {
            let _ = worker.send(Command::Drain {
                deadline,
                handed_over,
            });
        }
        let ended = self.latch.wait();
        for thread in threads {
            // A panic of a worker's own is in the log by now.
            let _ = thread.join();
        }
        DrainReport {
            connections_cut: ended.connections,
            requests_cut: ended.requests,
            took: begun.elapsed(),
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // A panic on a control thread leaves the tables whole: they change in single steps.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.latch.expect_only(self.workers.len());
        self.drain(Some(Duration::ZERO));
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("workers", &self.workers.len())
            .finish_non_exhaustive()
    }
}

impl Control {
    /// One publication for each worker; notes the configuration as the one in force.
    fn publications(
        &mut self,
        next: &Generation,
        places: Vec<Place>,
        dealt: Vec<Hand>,
        done: &mpsc::Sender<io::Result<()>>,
    ) -> Vec<Publication> {
        let gates = &mut self.gates;
        let mut with_gate = |spec: &Arc<ListenerSpec>| {
            let gate = gates.entry(spec.id).or_insert_with(Gate::new);
            (Arc::clone(spec), Arc::clone(gate))
        };
        let listeners: Arc<[_]> = next.listeners.iter().map(&mut with_gate).collect();
        let owners: Arc<[_]> = places
            .iter()
            .map(|place| (Arc::clone(&place.key), place.listener.id))
            .collect();
        self.places = places;
        self.generations
            .retain(|(_, snapshot)| snapshot.strong_count() > 0);
        self.generations
            .push((next.snapshot.generation, Arc::downgrade(&next.snapshot)));
        let publication = |sockets| Publication {
            snapshot: Arc::clone(&next.snapshot),
            listeners: Arc::clone(&listeners),
            places: Arc::clone(&owners),
            sockets,
            done: done.clone(),
        };
        dealt.into_iter().map(publication).collect()
    }
}

/// Opens when all workers have ended.
struct Latch {
    state: Mutex<(usize, Ended)>,
    opened: Condvar,
    of: usize,
}

impl Latch {
    fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new((workers, Ended::default())),
            opened: Condvar::new(),
            of: workers,
        })
    }

    fn leave(&self, ended: Ended) {
        let mut state = self.lock();
        state.0 = state.0.saturating_sub(1);
        state.1.connections += ended.connections;
        state.1.requests += ended.requests;
        self.opened.notify_all();
    }

    /// Fewer workers were started than was planned.
    fn expect_only(&self, started: usize) {
        let mut state = self.lock();
        state.0 = state.0.saturating_sub(self.of.saturating_sub(started));
    }

    fn wait(&self) -> Ended {
        let opened = self
            .opened
            .wait_while(self.lock(), |(running, _)| *running > 0);
        opened.unwrap_or_else(PoisonError::into_inner).1
    }

    fn lock(&self) -> MutexGuard<'_, (usize, Ended)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the latch of a worker's end, even of one by a panic.
struct Leaving {
    latch: Arc<Latch>,
    ended: Ended,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.latch.leave(self.ended);
    }
}
