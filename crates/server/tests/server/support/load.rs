//! Clients that ask all the time, and remember every failure.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use super::{Client, wait_for};

/// Clients at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    stop: AtomicBool,
    /// A refused connection is what is expected, and ends a client.
    may_refuse: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Clients that ask for `/hello` over and over on kept connections, and one that connects anew
    /// for each request.
    pub(crate) fn start(address: SocketAddr, clients: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let client = |index| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.run(address, index == 0))
        };
        let threads = (0..clients).map(client).collect();
        Self { shared, threads }
    }

    /// Requests answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(SeqCst)
    }

    /// Waits until this many more requests are answered.
    pub(crate) fn await_more(&self, more: usize) {
        let goal = self.answered() + more;
        wait_for("load", || {
            self.answered() >= goal || !self.shared.failures.lock().unwrap().is_empty()
        });
    }

    /// From now on a refused connection ends a client in good order.
    pub(crate) fn may_refuse(&self) {
        self.shared.may_refuse.store(true, SeqCst);
    }

    /// Stops the clients and gives every failure they saw.
    pub(crate) fn finish(self) -> Vec<String> {
        self.shared.stop.store(true, SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut self.shared.failures.lock().unwrap())
    }
}

impl Shared {
    fn run(&self, address: SocketAddr, anew: bool) {
        while !self.stop.load(SeqCst) {
            match Client::try_connect(address) {
                Ok(client) => {
                    if let Err(error) = self.ask(client, anew) {
                        return self.failures.lock().unwrap().push(error);
                    }
                }
                Err(error)
                    if error.kind() == ErrorKind::ConnectionRefused
                        && self.may_refuse.load(SeqCst) =>
                {
                    return;
                }
                Err(error) => {
                    return self
                        .failures
                        .lock()
                        .unwrap()
                        .push(format!("connect: {error}"));
                }
            }
        }
    }

    fn ask(&self, mut client: Client, anew: bool) -> Result<(), String> {
        while !self.stop.load(SeqCst) {
            let answer = client
                .try_get("/hello")
                .map_err(|error| format!("request: {error}"))?;
            if answer.status != 200 || answer.body != "hello" {
                return Err(format!("{answer:?}"));
            }
            self.answered.fetch_add(1, SeqCst);
            if answer.closes() || anew {
                break;
            }
        }
        Ok(())
    }
}
