//! Content that is held until it is known to be what was signed.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use lintel_http::{Body, BodyError};
use lintel_kernel::{Kind, Rejection};

use super::reject::{INCOMPLETE, TOO_LARGE};

/// A body that has arrived as a whole.
pub(super) struct Content {
    frames: VecDeque<Frame<Bytes>>,
    left: u64,
}

impl Content {
    /// Waits for all of a body, up to so many bytes, and shows each piece to `see`.
    ///
    /// # Cancel safety
    /// What has arrived is lost with it, and so is the request.
    pub(super) async fn of(
        body: &mut Body,
        most: usize,
        mut see: impl FnMut(&[u8]),
    ) -> Result<Self, Rejection> {
        let most = most as u64;
        if body.size_hint().lower() > most {
            return Err(TOO_LARGE);
        }
        let mut content = Self {
            frames: VecDeque::new(),
            left: 0,
        };
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            let frame = frame.map_err(|error| match error.facts.kind {
                Kind::Limit => TOO_LARGE,
                _ => INCOMPLETE,
            })?;
            if let Some(data) = frame.data_ref() {
                content.left += data.len() as u64;
                if content.left > most {
                    return Err(TOO_LARGE);
                }
                see(data);
            }
            content.frames.push_back(frame);
        }
        Ok(content)
    }
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = self.frames.pop_front();
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            self.left -= data.len() as u64;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
