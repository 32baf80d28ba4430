use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError};
use tokio::time::{Instant, Sleep, sleep_until};

/// A body with a limited bandwidth.
///
/// It has a timer of its own: the hooks of answers know no connection's, and few answers are slowed.
pub(super) struct Slow {
    body: Body,
    /// Bytes a second.
    rate: u64,
    /// What was read and may not pass yet.
    held: Bytes,
    /// When the next piece may pass.
    next: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Pieces a second: few enough to cost little, many enough to flow.
const PIECES: u64 = 20;

impl Slow {
    pub(super) fn new(body: Body, rate: u64) -> Self {
        Self {
            body,
            rate,
            held: Bytes::new(),
            next: Instant::now(),
            sleep: None,
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.next {
            return Poll::Ready(());
        }
        let next = self.next;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(next)));
        if sleep.deadline() != next {
            sleep.as_mut().reset(next);
        }
        sleep.as_mut().poll(cx)
    }

    /// As much of what is held as may pass at once.
    fn piece(&mut self) -> Bytes {
        let most = usize::try_from((self.rate / PIECES).max(1)).unwrap_or(usize::MAX);
        let piece = self.held.split_to(most.min(self.held.len()));
        let takes = Duration::from_secs_f64(piece.len() as f64 / self.rate as f64);
        self.next = Instant::now().max(self.next) + takes;
        piece
    }
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        ready!(self.poll_turn(cx));
        while self.held.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.held = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.len() as u64;
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
