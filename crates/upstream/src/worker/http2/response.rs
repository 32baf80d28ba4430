//! Answers over HTTP/2, and what their failures mean.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use lintel_http::{Body, BodyError};
use lintel_http1::Timer;
use lintel_kernel::{Facts, Kind, Side};
use tokio::time::Instant;

use crate::worker::{
    awaited::Awaited,
    failure::{Cause, code},
};

/// Makes the gateway's response of hyper's. The body fails if nothing comes for `idle`.
pub(crate) fn response(
    response: Response<Incoming>,
    timer: &Timer,
    idle: Duration,
    awaited: Option<Awaited>,
) -> Response<Body> {
    response.map(|body| {
        if http_body::Body::is_end_stream(&body) {
            if let Some(awaited) = awaited {
                awaited.ended(&HeaderMap::new());
            }
            return Body::empty();
        }
        let body = Body::hyper(body, Side::Upstream);
        Body::boxed(Guarded {
            body,
            timer: timer.clone(),
            idle,
            due: None,
            awaited,
        })
    })
}

/// A body that may not stall for longer than its idle timeout.
struct Guarded {
    body: Body,
    timer: Timer,
    idle: Duration,
    /// When the wait that is going on is over.
    due: Option<Instant>,
    /// The status of a gRPC call that is to come.
    awaited: Option<Awaited>,
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.due = None;
            if self.awaited.as_ref().is_some_and(|one| one.see(&polled)) {
                self.awaited = None;
            }
            return polled;
        }
        let idle = self.idle;
        let due = *self.due.get_or_insert_with(|| Instant::now() + idle);
        ready!(self.timer.poll_deadline(cx, due));
        self.body = Body::empty();
        if let Some(awaited) = self.awaited.take() {
            awaited.broke_off();
        }
        Poll::Ready(Some(Err(BodyError::timeout(Side::Upstream))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a failed exchange means, and whether the peer certainly did not process it: it refused the
/// stream (RFC 9113 §8.7), or said with GOAWAY that it would not look at it (§6.8).
pub(crate) fn sort(error: &hyper::Error) -> (Cause, bool) {
    let text = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let Some(h2) = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>())
    else {
        let facts = Facts::new(Kind::Reset, Side::Upstream);
        return (Cause::new(facts, code::RESET, text), false);
    };
    // Of the streams on a connection, h2 fails with the peer's GOAWAY those alone that are above
    // its last stream.
    let unprocessed =
        h2.is_remote() && (h2.is_go_away() || h2.reason() == Some(h2::Reason::REFUSED_STREAM));
    if unprocessed {
        let facts = Facts::new(Kind::Reset, Side::Upstream).retryable();
        return (Cause::new(facts, code::RESET, text), true);
    }
    if h2.is_library() {
        return (
            Cause::new(
                Facts::new(Kind::Protocol, Side::Upstream),
                code::BAD_RESPONSE,
                text,
            ),
            false,
        );
    }
    (
        Cause::new(Facts::new(Kind::Reset, Side::Upstream), code::RESET, text),
        false,
    )
}
