//! Bodies of answers, bounded.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;

/// More than a registry has to say of one service at once.
pub(super) const MAX_BODY: usize = 64 * 1024 * 1024;
/// More than one piece of news can be.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// A body to its end, of at most so many bytes.
pub(super) async fn whole(body: Incoming, max: usize) -> Result<Bytes, String> {
    let collected = Limited::new(body, max).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => format!("the answer has more than {max} bytes"),
            None => format!("the answer broke off: {error}"),
        })
}

/// A body that comes line by line.
pub struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// So far into the buffer there is no line's end.
    seen: usize,
}

impl Lines {
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            seen: 0,
        }
    }

    /// The next line that is not empty; none at the end of the body.
    ///
    /// # Errors
    ///
    /// The connection broke, or a line is too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(line) = self.line() {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(format!(
                    "a line of the answer has more than {MAX_LINE} bytes"
                ));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(format!("the answer broke off: {error}")),
                None if self.buffer.iter().all(u8::is_ascii_whitespace) => return Ok(None),
                None => {
                    self.seen = 0;
                    return Ok(Some(self.buffer.split().freeze()));
                }
            }
        }
    }

    fn line(&mut self) -> Option<Bytes> {
        let new = self.buffer.get(self.seen..)?;
        match new.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let line = self.buffer.split_to(self.seen + at).freeze();
                self.buffer.advance(1);
                self.seen = 0;
                Some(line)
            }
            None => {
                self.seen = self.buffer.len();
                None
            }
        }
    }
}
