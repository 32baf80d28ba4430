use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use lintel_testkit::{Client, until};

/// Clients that send one request after the other until they are stopped.
///
/// Half of them keep their connection, half connect anew for every request. A kept connection that
/// the gateway closes between two requests is replaced, as every client has to (RFC 9112 §9.3.1);
/// whatever else goes wrong is a failure.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    answered: AtomicUsize,
    /// The longest that one had to wait, in microseconds.
    slowest: AtomicU64,
    stopped: AtomicBool,
    /// Whether nobody listens any more is the end instead of a failure.
    may_end: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts the clients, and waits until each could have been answered.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            address,
            answered: AtomicUsize::new(0),
            slowest: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            may_end: AtomicBool::new(false),
            failures: Mutex::default(),
        });
        let clients = [true, false, true, false].map(|keeps| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.run(keeps))
        });
        let load = Self {
            shared,
            clients: clients.into(),
        };
        load.until_answered(20);
        load
    }

    /// Waits until this many more requests were answered.
    pub(crate) fn until_answered(&self, more: usize) {
        let goal = self.shared.answered.load(Ordering::SeqCst) + more;
        until("the load is answered", || {
            assert_eq!(*self.shared.failures.lock().unwrap(), [""; 0]);
            (self.shared.answered.load(Ordering::SeqCst) >= goal).then_some(())
        });
    }

    /// From now on a refused connection ends a client and is no failure: the gateway was told to
    /// stop.
    pub(crate) fn may_end(&self) {
        self.shared.may_end.store(true, Ordering::SeqCst);
    }

    /// The longest that a request took so far.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_micros(self.shared.slowest.load(Ordering::SeqCst))
    }

    /// Ends the clients, and returns what failed.
    pub(crate) fn stop(self) -> Vec<String> {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.join()
    }

    /// Waits for the clients to come to their end, and returns what failed.
    pub(crate) fn join(self) -> Vec<String> {
        for client in self.clients {
            client.join().unwrap();
        }
        std::mem::take(&mut self.shared.failures.lock().unwrap())
    }
}

impl Shared {
    fn run(&self, keeps: bool) {
        let mut kept = None;
        while !self.stopped.load(Ordering::SeqCst) {
            let begun = Instant::now();
            match self.once(&mut kept, keeps) {
                Ok(true) => {
                    let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.slowest.fetch_max(took, Ordering::SeqCst);
                    self.answered.fetch_add(1, Ordering::SeqCst);
                }
                Ok(false) => {}
                Err(_) if self.is_gone() => return,
                Err(error) => {
                    self.failures.lock().unwrap().push(error.to_string());
                    return;
                }
            }
        }
    }

    /// Whether the gateway was told to stop and nobody listens any more.
    fn is_gone(&self) -> bool {
        self.may_end.load(Ordering::SeqCst) && Client::try_connect(self.address).is_err()
    }

    /// One request; `false` when the kept connection had ended before it.
    fn once(&self, kept: &mut Option<Client>, keeps: bool) -> io::Result<bool> {
        let reused = kept.is_some();
        let mut client = match kept.take() {
            Some(client) => client,
            None => Client::try_connect(self.address)?,
        };
        let reply = match client.request("GET", "/load").try_reply(false) {
            Ok(reply) => reply,
            Err(_) if reused => return Ok(false),
            Err(error) => return Err(error),
        };
        if reply.status != 200 || !reply.complete {
            return Err(io::Error::other(format!("{reply:?}")));
        }
        let closes = reply.header("connection") == Some("close");
        *kept = (keeps && !closes).then_some(client);
        Ok(true)
    }
}
