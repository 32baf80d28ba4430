//! The body of an answer on its way to the client, with the record of its request aboard.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::Method;
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError, h2::Advance};
use lintel_kernel::{Exchange, Kind, Outcome, Side};

use crate::active::Active;

/// A response body that counts its bytes and holds the record of its request until it ends. A
/// silent upstream ends it by the service's own idle timeout.
pub struct Tracked {
    body: Body,
    active: Option<Box<Active>>,
}

impl Tracked {
    pub(crate) fn new(body: Body, mut active: Box<Active>) -> Self {
        let status = active.exchange.status;
        let bodiless = *active.method() == Method::HEAD || status == 204 || status == 304;
        if bodiless || http_body::Body::is_end_stream(&body) {
            active.ended(Outcome::Complete);
        }
        Self {
            body,
            active: Some(active),
        }
    }

    /// An empty body whose request is recorded elsewhere.
    pub(crate) fn detached() -> Self {
        Self {
            body: Body::empty(),
            active: None,
        }
    }

    /// An answer made before there was a request to record.
    pub fn unrecorded(body: Bytes) -> Self {
        Self {
            body: body.into(),
            ..Self::detached()
        }
    }

    /// What is known of the request that this answers, where it is recorded here.
    pub fn exchange(&self) -> Option<&Exchange> {
        self.active.as_ref().map(|active| &active.exchange)
    }

    /// The bytes of a body that is at hand; those of one that has yet to come are left out.
    pub fn into_bytes(mut self) -> Bytes {
        let mut cx = Context::from_waker(Waker::noop());
        let mut bytes = BytesMut::new();
        while let Poll::Ready(Some(Ok(frame))) =
            http_body::Body::poll_frame(Pin::new(&mut self), &mut cx)
        {
            bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
        bytes.freeze()
    }

    fn note(&mut self, outcome: Outcome) {
        if let Some(active) = &mut self.active {
            active.ended(outcome);
        }
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.note(Outcome::Complete);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(active) = &mut self.active {
                    match frame.data_ref() {
                        Some(data) => active.bytes_out += data.len() as u64,
                        None => active.exchange.note_trailers(frame.trailers_ref()),
                    }
                }
                if http_body::Body::is_end_stream(&self.body) {
                    self.note(Outcome::Complete);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.note(match (error.facts.side, error.facts.kind) {
                    (Side::Client, _) => Outcome::ClientGone,
                    (_, Kind::Timeout) => Outcome::Timeout,
                    _ => Outcome::UpstreamAborted,
                });
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

impl Advance for Tracked {
    fn advance(&mut self, cx: &mut Context<'_>) {
        self.body.advance(cx);
    }
}
