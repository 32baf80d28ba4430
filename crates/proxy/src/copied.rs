//! A body that is copied while it passes, without being held up.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError};

/// What came of a copy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// The whole body; its trailers are not copied.
    Whole(Bytes),
    /// It is larger than may be kept.
    TooLarge,
    /// It never came to its end, or nobody read it to there.
    Broken,
}

/// Copies a body as it passes. The bytes are copied and not shared: a small piece of a body would
/// keep alive the whole buffer that it was read into.
struct Copied {
    body: Body,
    copy: BytesMut,
    limit: usize,
    /// Told once what came of it.
    done: Option<Box<dyn FnOnce(Copy)>>,
}

/// A body that passes as it is; `done` is told of its copy, of `limit` bytes at most.
pub(crate) fn copied(body: Body, limit: usize, done: impl FnOnce(Copy) + 'static) -> Body {
    let known = http_body::Body::size_hint(&body).lower();
    if usize::try_from(known).map_or(true, |known| known > limit) {
        done(Copy::TooLarge);
        return body;
    }
    if http_body::Body::is_end_stream(&body) {
        done(Copy::Whole(Bytes::new()));
        return body;
    }
    Body::boxed(Copied {
        body,
        copy: BytesMut::new(),
        limit,
        done: Some(Box::new(done)),
    })
}

impl Copied {
    fn take(&mut self, data: &Bytes) {
        if self.done.is_none() {
            return;
        }
        if self.copy.len() + data.len() > self.limit {
            self.copy = BytesMut::new();
            self.finish(Copy::TooLarge);
        } else {
            self.copy.extend_from_slice(data);
        }
    }

    fn finish(&mut self, copy: Copy) {
        if let Some(done) = self.done.take() {
            done(copy);
        }
    }

    fn whole(&mut self) {
        let copy = std::mem::take(&mut self.copy).freeze();
        self.finish(Copy::Whole(copy));
    }
}

impl http_body::Body for Copied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.take(data);
                }
                // Who knows that this was the last frame need not ask for another.
                if self.body.is_end_stream() {
                    self.whole();
                }
            }
            Poll::Ready(None) => self.whole(),
            Poll::Ready(Some(Err(_))) => self.finish(Copy::Broken),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.finish(Copy::Broken);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{cell::RefCell, future::poll_fn, rc::Rc};

    use futures_util::stream;
    use http_body::Body as _;
    use http_body_util::StreamBody;

    use super::*;

    async fn copy(pieces: &[Result<&'static str, ()>], limit: usize, read: usize) -> Copy {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| match piece {
                Ok(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
                Err(()) => Err(BodyError::too_large()),
            })
            .collect();
        let pieces = StreamBody::new(stream::iter(pieces));
        let seen = Rc::new(RefCell::new(None));
        let note = Rc::clone(&seen);
        let mut body = copied(Body::boxed(pieces), limit, move |copy| {
            assert!(note.borrow_mut().replace(copy).is_none(), "told twice");
        });
        for _ in 0..read {
            let _ = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        }
        drop(body);
        seen.take().unwrap()
    }

    #[tokio::test]
    async fn bodies_are_copied_up_to_the_limit() {
        let whole = |text: &'static str| Copy::Whole(Bytes::from_static(text.as_bytes()));
        assert_eq!(copy(&[Ok("ab"), Ok("cd")], 4, 3).await, whole("abcd"));
        assert_eq!(copy(&[Ok("ab"), Ok("cd")], 3, 3).await, Copy::TooLarge);
        assert_eq!(copy(&[Ok("ab"), Ok("cd")], 4, 2).await, Copy::Broken);
        assert_eq!(copy(&[Ok("ab"), Err(())], 4, 2).await, Copy::Broken);
        assert_eq!(copy(&[], 4, 1).await, whole(""));
    }

    #[test]
    fn what_is_known_to_be_too_large_is_not_touched() {
        let seen = Rc::new(RefCell::new(None));
        let note = Rc::clone(&seen);
        let body = Body::from(Bytes::from_static(b"abcdef"));
        let body = copied(body, 5, move |copy| *note.borrow_mut() = Some(copy));
        assert_eq!(seen.take(), Some(Copy::TooLarge));
        assert!(format!("{body:?}").contains("full"));
    }
}
