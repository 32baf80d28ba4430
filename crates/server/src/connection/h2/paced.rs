//! The body of a request.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use lintel_http::BodyError;
use lintel_http1::Timer;
use lintel_kernel::Side;
use tokio::time::Instant;

/// A body that fails when its client pauses for too long.
pub(super) struct Paced<B> {
    body: B,
    timer: Timer,
    longest_pause: Duration,
    deadline: Option<Instant>,
}

impl<B> Paced<B> {
    pub(super) const fn new(body: B, timer: Timer, longest_pause: Duration) -> Self {
        Self {
            body,
            timer,
            longest_pause,
            deadline: None,
        }
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_ready() {
            this.deadline = None;
            return polled;
        }
        let deadline = *this
            .deadline
            .get_or_insert_with(|| Instant::now() + this.longest_pause);
        this.timer
            .poll_deadline(cx, deadline)
            .map(|()| Some(Err(BodyError::timeout(Side::Client))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
