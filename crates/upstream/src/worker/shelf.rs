//! Idle connections to one endpoint that any worker may take.

use std::{
    collections::VecDeque,
    mem::MaybeUninit,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

use lintel_http1::client::Conn;
use lintel_tls::Stream;
use socket2::SockRef;
use tokio::time::Instant;

use crate::service::Room;

/// Workers put connections here that they have not used for a while, and look here before they
/// dial. With per-worker pools alone, a service that is asked rarely would be dialled by every
/// worker anew.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Read before the lock is taken, so that an empty shelf costs one load.
    len: AtomicUsize,
    /// Longest idle first.
    shelved: Mutex<VecDeque<Shelved>>,
}

/// One connection on the shelf.
pub(crate) struct Shelved {
    pub(crate) conn: Conn<Stream>,
    /// When it is to be closed.
    pub(crate) expires: Instant,
    /// Whose reactor it is registered with.
    pub(crate) worker: usize,
    /// It still counts against the service's limit.
    pub(crate) room: Room,
}

impl Shelf {
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Puts a connection up. Gives it back if there are `max` already.
    pub(crate) fn put(&self, shelved: Shelved, max: usize) -> Result<(), Shelved> {
        let mut all = self.lock();
        if all.len() >= max {
            return Err(shelved);
        }
        all.push_back(shelved);
        self.len.store(all.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Takes the connection that was put up last.
    pub(crate) fn take(&self) -> Option<Shelved> {
        if self.len() == 0 {
            return None;
        }
        let mut all = self.lock();
        let taken = all.pop_back();
        self.len.store(all.len(), Ordering::Relaxed);
        taken
    }

    /// Closes what has expired or, of this worker's own connections, what the reactor knows to be
    /// closed. Does nothing while another worker is at the shelf.
    pub(crate) fn sweep(&self, now: Instant, worker: usize) {
        if self.len() == 0 {
            return;
        }
        let mut all = match self.shelved.try_lock() {
            Ok(all) => all,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        all.retain_mut(|shelved| {
            shelved.expires > now && (shelved.worker != worker || shelved.conn.is_idle_ok())
        });
        self.len.store(all.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Shelved>> {
        self.shelved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelved {
    /// Makes the connection this worker's own. Nothing if it is dead.
    ///
    /// The reactor of the worker that it comes from may not have looked for a while, and this
    /// worker's has never seen it: the socket itself is asked, with one system call.
    pub(crate) fn adopt(mut self, worker: usize) -> Option<Conn<Stream>> {
        if !self.conn.is_idle_ok() {
            return None;
        }
        let conn = if self.worker == worker {
            self.conn
        } else if is_silent(self.conn.io()) {
            self.conn.into_io().reregister().ok().map(Conn::new)?
        } else {
            return None;
        };
        self.room.keep();
        Some(conn)
    }
}

/// Whether nothing waits to be read from the socket: no bytes, no end, no error.
fn is_silent(stream: &Stream) -> bool {
    let mut byte = [MaybeUninit::uninit(); 1];
    let peeked = SockRef::from(stream.socket()).peek(&mut byte);
    matches!(peeked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
