//! Where log lines go: formatted by whoever logs, written by one thread a sink.
//!
//! Lines gather in a buffer of the logging thread and are handed over in batches through a bounded
//! queue. Nobody waits: when the writer cannot keep up, the batch is dropped and its lines are
//! counted (`lintel_log_dropped_total`). Each sink has its own writer, so that a stuck pipe does
//! not hold up a file.

mod buffer;
mod registry;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

pub(crate) use buffer::append;
pub use buffer::{flush, flush_due};
pub(crate) use registry::each_loss;
pub use registry::{flush_all, reopen_all};
use writer::{Destination, Output, Writer};

/// A batch is handed over when it has grown to this many bytes (each handover wakes the writer) …
pub const BATCH_BYTES: usize = 64 * 1024;
/// … or when its first line is this old and [`flush_due`] is called.
pub const BATCH_AGE: Duration = Duration::from_millis(100);
/// Most that may wait for one writer; what comes beyond it is dropped.
pub const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Batches that may wait for one writer: the process log sends line by line.
const QUEUE_BATCHES: usize = 1024;

/// Where a sink writes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to and made if missing; its directory must exist.
    File(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// The one writer to a target in this process. Dropping the last handle lets it write what it has
/// and end.
pub struct Sink {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
}

/// What a sink and its writer share.
pub(crate) struct Shared {
    queued: AtomicUsize,
    reopen: AtomicBool,
    /// Carries the process log, which therefore cannot report this sink's own failures.
    process_log: AtomicBool,
    stats: Arc<Stats>,
}

/// Counts of a target over the life of the process.
pub(crate) struct Stats {
    name: String,
    dropped: AtomicU64,
    errors: AtomicU64,
}

/// What a sink has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Lines dropped.
    pub dropped: u64,
    /// Writes that failed.
    pub errors: u64,
}

pub(crate) enum Message {
    Batch {
        bytes: Vec<u8>,
        lines: u32,
    },
    /// Answered when everything before it is written.
    Flush(mpsc::Sender<()>),
    /// Only makes the writer look at its flags.
    Wake,
}

impl Sink {
    /// The sink of a target; a second call for the same target gives the same sink.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending, or no thread can be started.
    pub fn open(target: &Target) -> io::Result<Arc<Self>> {
        registry::open(target)
    }

    fn start(stats: Arc<Stats>, output: impl Output + 'static) -> io::Result<Arc<Self>> {
        let (queue, inbox) = mpsc::sync_channel(QUEUE_BATCHES);
        let shared = Arc::new(Shared {
            queued: AtomicUsize::new(0),
            reopen: AtomicBool::new(false),
            process_log: AtomicBool::new(false),
            stats,
        });
        let writer = Writer::new(shared.clone(), output);
        thread::Builder::new()
            .name("lintel-log".to_owned())
            .spawn(move || writer.run(&inbox))?;
        Ok(Arc::new(Self { queue, shared }))
    }

    fn start_at(target: &Target, stats: Arc<Stats>) -> io::Result<Arc<Self>> {
        Self::start(stats, Destination::open(target)?)
    }

    /// What has been lost so far.
    pub fn loss(&self) -> Loss {
        self.shared.stats.loss()
    }

    /// Hands over one complete line at once, without gathering. Never waits.
    pub(crate) fn send(&self, line: Vec<u8>) {
        self.hand_over(line, 1);
    }

    /// Hands over a batch of whole lines, or drops and counts it. Never waits.
    fn hand_over(&self, bytes: Vec<u8>, lines: u32) {
        let size = bytes.len();
        let queued = self.shared.queued.fetch_add(size, Relaxed);
        let sent = queued + size <= QUEUE_BYTES
            && self.queue.try_send(Message::Batch { bytes, lines }).is_ok();
        if !sent {
            self.shared.queued.fetch_sub(size, Relaxed);
            self.shared.stats.drop_lines(u64::from(lines));
        }
    }

    /// Waits until everything handed over before is written, at most until `deadline`; whether it
    /// was. Blocks the calling thread: for shutdown and tests.
    #[expect(
        clippy::disallowed_methods,
        reason = "never on a worker; a bounded queue offers no wait with a deadline"
    )]
    pub fn flush_until(&self, deadline: Instant) -> bool {
        let (done, written) = mpsc::channel();
        let mut message = Message::Flush(done);
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => message = back,
                Err(_) => return false,
            }
            thread::sleep(Duration::from_millis(1));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        written.recv_timeout(left).is_ok()
    }

    fn reopen(&self) {
        self.shared.reopen.store(true, Relaxed);
        // A full queue means that the writer is awake already.
        let _ = self.queue.try_send(Message::Wake);
    }

    pub(crate) fn carries_process_log(&self) {
        self.shared.process_log.store(true, Relaxed);
    }
}

impl Stats {
    fn new(name: String) -> Arc<Self> {
        Arc::new(Self {
            name,
            dropped: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        })
    }

    fn drop_lines(&self, lines: u64) {
        self.dropped.fetch_add(lines, Relaxed);
    }

    fn loss(&self) -> Loss {
        Loss {
            dropped: self.dropped.load(Relaxed),
            errors: self.errors.load(Relaxed),
        }
    }
}
