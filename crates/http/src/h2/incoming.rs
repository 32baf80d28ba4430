//! The body of a message that comes in.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use lintel_http1::Timer;
use lintel_kernel::{Facts, Kind, Side};
use tokio::time::Instant;

use super::Advance;
use crate::BodyError;

/// How long a body may pause.
#[derive(Clone)]
pub struct Pace {
    /// The timer of the task that reads the body.
    pub timer: Timer,
    /// The longest time without data, while somebody waits for it.
    pub longest_pause: Duration,
}

/// The body of an HTTP/2 message. Window is given back as data is taken, so a reader that pauses
/// stops its sender. h2 has checked the length against `content-length` (RFC 9113 §8.1.1).
pub struct Incoming {
    stream: RecvStream,
    side: Side,
    /// Bytes still to come, where the head tells.
    left: Option<u64>,
    /// Only trailers can come.
    data_ended: bool,
    /// Nothing more is read.
    ended: bool,
    pace: Pace,
    /// When the pause that is going on is over.
    due: Option<Instant>,
    /// To be called when data is first waited for.
    wanted: Option<Box<dyn FnOnce()>>,
    /// What goes the other way on the stream, until it is done.
    companion: Option<Companion>,
    /// Sees what has come, until it has seen enough.
    watcher: Option<Watcher>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;
type Companion = Box<dyn FnMut(&mut Context<'_>) -> Poll<()>>;
type Watcher = Box<dyn FnMut(&Polled) -> bool>;

impl Incoming {
    /// The body that follows a head with these fields, from the given side.
    pub fn new(stream: RecvStream, headers: &HeaderMap, side: Side, pace: Pace) -> Self {
        let length = headers.get(CONTENT_LENGTH);
        Self {
            stream,
            side,
            left: length
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.parse().ok()),
            data_ended: false,
            ended: false,
            pace,
            due: None,
            wanted: None,
            companion: None,
            watcher: None,
        }
    }

    /// Has `wanted` called once if somebody waits for the body before any of it has come: the time
    /// for `100 Continue` (RFC 9110 §10.1.1).
    #[must_use]
    pub fn when_wanted(mut self, wanted: impl FnOnce() + 'static) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// Has `companion` polled along with this body until it is ready or this is dropped: the rest of
    /// the request that this answers. Both belong to one task, as the body that is sent may too.
    #[must_use]
    pub fn with_companion(
        mut self,
        companion: impl FnMut(&mut Context<'_>) -> Poll<()> + 'static,
    ) -> Self {
        self.companion = Some(Box::new(companion));
        self
    }

    /// Has `watcher` see whatever the body gives out, its end or failure included, until it answers
    /// true.
    #[must_use]
    pub fn watched(mut self, watcher: impl FnMut(&Polled) -> bool + 'static) -> Self {
        self.watcher = Some(Box::new(watcher));
        self
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Fails only if more is given back than was taken.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    let length = data.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        Poll::Ready(
            trailers
                .map(|fields| fields.map(Frame::trailers))
                .transpose(),
        )
    }

    /// The next part, unless it is too long in coming.
    fn poll_paced(&mut self, cx: &mut Context<'_>) -> Polled {
        if self.ended {
            return Poll::Ready(None);
        }
        self.advance(cx);
        if let Poll::Ready(part) = self.poll_part(cx) {
            self.due = None;
            return Poll::Ready(match part {
                Some(Err(error)) => {
                    self.ended = true;
                    (!self.is_whole(&error)).then(|| Err(BodyError::http2(&error, self.side)))
                }
                None => {
                    self.ended = true;
                    None
                }
                Some(Ok(frame)) => Some(Ok(frame)),
            });
        }
        if let Some(wanted) = self.wanted.take() {
            wanted();
        }
        let pause = self.pace.longest_pause;
        let due = *self.due.get_or_insert_with(|| Instant::now() + pause);
        ready!(self.pace.timer.poll_deadline(cx, due));
        self.ended = true;
        Poll::Ready(Some(Err(BodyError::timeout(self.side))))
    }

    /// A server that has answered in full may ask for an end of the request with `NO_ERROR` (RFC 9113
    /// §8.1); the answer is whole then. A client has no such right.
    fn is_whole(&self, error: &h2::Error) -> bool {
        self.side == Side::Upstream
            && error.reason() == Some(Reason::NO_ERROR)
            && self.left.unwrap_or(0) == 0
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_paced(cx);
        if let Some(watcher) = &mut self.watcher
            && polled.is_ready()
            && watcher(&polled)
        {
            self.watcher = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}

impl Advance for Incoming {
    fn advance(&mut self, cx: &mut Context<'_>) {
        if let Some(companion) = &mut self.companion
            && companion(cx).is_ready()
        {
            self.companion = None;
        }
    }
}

impl BodyError {
    fn http2(error: &h2::Error, side: Side) -> Self {
        // What this side's h2 finds wrong with the peer's frames.
        let kind = if error.is_library() {
            Kind::Protocol
        } else {
            Kind::Reset
        };
        Self {
            facts: Facts::new(kind, side),
            cause: error.to_string(),
        }
    }
}
