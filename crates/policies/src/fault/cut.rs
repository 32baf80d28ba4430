use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError};
use lintel_kernel::{Kind, Side};

/// A body that breaks off.
pub(super) struct Cut {
    body: Body,
    /// Bytes that still come through.
    left: u64,
}

impl Cut {
    pub(super) const fn new(body: Body, after: u64) -> Self {
        Self { body, left: after }
    }
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let broken = || {
            let cause = "broken off by fault injection";
            let error = BodyError::new(Kind::Reset, Side::Gateway, cause);
            Poll::Ready(Some(Err(error)))
        };
        if self.left == 0 {
            return broken();
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let Poll::Ready(Some(Ok(frame))) = polled else {
            return match polled {
                Poll::Ready(None) => broken(),
                other => other,
            };
        };
        Poll::Ready(Some(match frame.into_data() {
            Ok(mut data) => {
                let fits = usize::try_from(self.left).unwrap_or(usize::MAX);
                data.truncate(fits);
                self.left = self.left.saturating_sub(data.len() as u64);
                Ok(Frame::data(data))
            }
            Err(trailers) => Ok(trailers),
        }))
    }

    /// Never: what is complete can't be broken off.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        if hint.exact() == Some(0) {
            return SizeHint::new();
        }
        hint
    }
}
