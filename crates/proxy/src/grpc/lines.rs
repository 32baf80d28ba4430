//! Lines out of a body as it comes.

use bytes::{Buf as _, BytesMut};

/// Takes the lines that say something.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// Where in the buffer there may be the end of a line.
    searched: usize,
    /// Largest line, in bytes.
    limit: usize,
    /// Lines so far, those that say nothing among them.
    pub(super) number: usize,
}

/// A line is larger than the limit.
#[derive(Debug)]
pub(super) struct TooLong;

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            limit,
            number: 0,
        }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// Nothing of what has come counts any more.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }

    /// The next line that is not blank, if all of it is there. Where the body has `ended`, the last
    /// one needs no end of its own.
    ///
    /// # Errors
    /// It is too long.
    pub(super) fn take(&mut self, ended: bool) -> Result<Option<BytesMut>, TooLong> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            let line = match rest.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    let line = self.buffer.split_to(self.searched + at);
                    self.buffer.advance(1);
                    line
                }
                None if ended && !self.buffer.is_empty() => self.buffer.split(),
                None => {
                    self.searched = self.buffer.len();
                    return match self.searched > self.limit {
                        true => Err(TooLong),
                        false => Ok(None),
                    };
                }
            };
            self.searched = 0;
            self.number += 1;
            if line.len() > self.limit {
                return Err(TooLong);
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line));
            }
        }
    }
}
