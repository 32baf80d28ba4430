//! Bodies that were looked into.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError};

/// A body whose beginning was read before.
pub(crate) struct Replayed {
    frames: VecDeque<Frame<Bytes>>,
    /// Bytes of data in the frames.
    size: usize,
    rest: Body,
}

impl Replayed {
    /// What was read, and what follows.
    pub(crate) fn new(frames: VecDeque<Frame<Bytes>>, rest: Body) -> Self {
        let data = frames.iter().filter_map(Frame::data_ref);
        let size = data.map(Bytes::len).sum();
        Self { frames, size, rest }
    }
}

impl http_body::Body for Replayed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.frames.pop_front() {
            Some(frame) => {
                self.size -= frame.data_ref().map_or(0, Bytes::len);
                Poll::Ready(Some(Ok(frame)))
            }
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, own) = (self.rest.size_hint(), self.size as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + own);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + own);
        }
        hint
    }
}
