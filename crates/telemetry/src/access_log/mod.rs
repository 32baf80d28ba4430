//! The access log: one line a request.

mod human;
mod json;
mod record;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use crate::sink::{Sink, Target, flush, flush_all, flush_due, reopen_all};
pub use record::Record;

/// Shape of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line (RFC 8259), for machines. Absent values have no key.
    #[default]
    Json,
    /// One readable line, without colour.
    Human,
}

impl Format {
    /// Appends the line of a request, its line feed included.
    pub fn encode(self, out: &mut Vec<u8>, record: &Record<'_>) {
        match self {
            Self::Json => json::encode(out, record),
            Self::Human => human::encode(out, record),
        }
    }
}

impl Sink {
    /// Logs a request. Formats into this thread's batch; never waits. Lines reach the target once
    /// a batch is full, or soon if the thread calls [`flush_due`].
    pub fn write(self: &Arc<Self>, format: Format, record: &Record<'_>) {
        crate::sink::append(self, |out| format.encode(out, record));
    }
}
