//! The threads that compute password hashes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use lintel_kernel::Secret;
use tokio::sync::oneshot;

use super::Hash;

/// Computations that may wait for a thread. With 20 ms each and one thread the last of them waits a
/// second and a quarter; more would only wait in vain.
const WAITING: usize = 64;

/// Too much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// The process's own pool: half of the cores, so that requests without passwords go on. Its threads
/// are started when the first password comes.
pub(super) static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Pool::start((cores / 2).clamp(1, 8), WAITING)
});

/// Threads with a bounded queue.
pub(super) struct Pool {
    queue: SyncSender<Job>,
}

pub(super) struct Job {
    hash: Arc<Hash>,
    password: Secret,
    answer: oneshot::Sender<bool>,
}

impl Pool {
    /// Starts the threads. They end when the pool is dropped.
    pub(super) fn start(threads: usize, waiting: usize) -> Self {
        let (pool, jobs) = Self::idle(waiting);
        let jobs = Arc::new(jobs);
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            let name = "lintel-password".to_owned();
            // Where none can be started, the queue has no end to read it, and every password is
            // refused as one too many.
            let _ = thread::Builder::new().name(name).spawn(move || work(&jobs));
        }
        pool
    }

    /// One without threads yet, and what they are to [work](work) on.
    pub(super) fn idle(waiting: usize) -> (Self, Mutex<Receiver<Job>>) {
        let (queue, jobs) = sync_channel(waiting);
        (Self { queue }, Mutex::new(jobs))
    }

    /// Has a password verified. Dropping what is returned gives it up.
    ///
    /// # Errors
    /// The queue is full.
    pub(super) fn submit(
        &self,
        hash: &Arc<Hash>,
        password: &str,
    ) -> Result<oneshot::Receiver<bool>, Busy> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            hash: Arc::clone(hash),
            password: Secret::new(password),
            answer,
        };
        match self.queue.try_send(job) {
            Ok(()) => Ok(answered),
            Err(_) => Err(Busy),
        }
    }
}

/// Computes until the pool is gone.
pub(super) fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Nobody waits any more: the client has left, or its time is up.
        if job.answer.is_closed() {
            continue;
        }
        let verify = || job.hash.verify(job.password.expose().as_bytes());
        let verified = catch_unwind(AssertUnwindSafe(verify)).unwrap_or(false);
        let _ = job.answer.send(verified);
    }
}
