//! Bodies that are there as a whole, trailers included.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// A body of one piece, and what follows it. It never fails, in whatever way it is said to.
pub struct Whole<E> {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
    fails: PhantomData<fn() -> E>,
}

impl<E> Whole<E> {
    /// These bytes, and these trailers.
    pub fn new(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self {
            data: Some(data).filter(|data| !data.is_empty()),
            trailers,
            fails: PhantomData,
        }
    }
}

impl<E> http_body::Body for Whole<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    /// Only a body without trailers says how long it is: one with a length has no place for them.
    fn size_hint(&self) -> SizeHint {
        match self.trailers {
            None => SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64)),
            Some(_) => SizeHint::default(),
        }
    }
}
