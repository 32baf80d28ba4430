//! The working buffers of TLS, one set per thread.
//!
//! Records are decrypted and encrypted here and never in the connection, so that an idle
//! connection owns no buffer at all and a busy worker keeps hitting the same few cache lines. They
//! are borrowed for one synchronous step and never across a wait.

use std::cell::RefCell;

/// The largest handshake message that is put together from several records, the same limit that
/// rustls sets for its own buffers (the protocol allows 16 MiB, RFC 8446 §4).
pub(crate) const MAX_HELD: usize = 64 * 1024;

/// Bytes asked of the socket in one read: two full records, so that a bulk transfer costs one
/// system call for 32 KiB (rustls' own buffer reads 4 KiB at a time).
pub(crate) const READ_SIZE: usize = 32 * 1024 + 512;

/// Plaintext sealed in one write: two full records. A peer that stops reading makes the
/// connection hold at most this much ciphertext, which is why it is not more.
pub(crate) const WRITE_SIZE: usize = 32 * 1024;

/// Small slices of a vectored write are joined up to this size, so that a head and a small body
/// share a record: the most that one record carries (RFC 8446 §5.1).
pub(crate) const JOIN_SIZE: usize = 16 * 1024;

/// One thread's working buffers.
pub(crate) struct Scratch {
    /// Ciphertext from the socket; decrypted in place.
    pub(crate) input: Vec<u8>,
    /// Ciphertext for the socket.
    pub(crate) output: Output,
    /// Joined slices of a vectored write.
    pub(crate) join: Vec<u8>,
}

/// A growing buffer whose bytes are zeroed once and not for each use.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    len: usize,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; MAX_HELD + READ_SIZE],
        output: Output::default(),
        join: Vec::new(),
    });
}

/// Lends the thread's buffers for one synchronous step. The output starts empty.
///
/// None only if a step is started from within a step, which nothing here does.
pub(crate) fn with<T>(step: impl FnOnce(&mut Scratch) -> T) -> Option<T> {
    SCRATCH.with(|scratch| {
        let mut scratch = scratch.try_borrow_mut().ok()?;
        scratch.output.len = 0;
        Some(step(&mut scratch))
    })
}

impl Output {
    /// What has been written so far.
    pub(crate) fn filled(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// At least `room` writable bytes after what has been written.
    pub(crate) fn spare(&mut self, room: usize) -> &mut [u8] {
        let need = self.len + room;
        if self.bytes.len() < need {
            self.bytes.resize(need, 0);
        }
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    /// Counts `written` bytes of the spare room as written.
    pub(crate) fn advance(&mut self, written: usize) {
        self.len = (self.len + written).min(self.bytes.len());
    }

    /// Forgets what has been written and starts again with `bytes`.
    pub(crate) fn replace(&mut self, bytes: &[u8]) {
        self.len = 0;
        if let Some(room) = self.spare(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.advance(bytes.len());
    }
}
