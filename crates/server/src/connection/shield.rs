//! Keeping a panic in one request from ending anything else.
//!
//! What a panic leaves half done in a request's own state goes with the request. What requests share
//! on a worker is changed in steps that don't panic halfway.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use lintel_http::{BodyError, h2::Advance};
use lintel_kernel::{Kind, Side, trace::RequestId};
use lintel_proxy::{Tracked, refuse};
use pin_project_lite::pin_project;

pin_project! {
    /// A request's future. If it panics, `instead` makes its output.
    pub(super) struct Shield<F, I> {
        #[pin]
        future: F,
        instead: Option<I>,
    }
}

impl<F, I> Shield<F, I> {
    pub(super) const fn new(future: F, instead: I) -> Self {
        Self {
            future,
            instead: Some(instead),
        }
    }
}

impl<F: Future, I: FnOnce() -> F::Output> Future for Shield<F, I> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let future = this.future;
        match (
            catch_unwind(AssertUnwindSafe(|| future.poll(cx))),
            this.instead.take(),
        ) {
            (Ok(Poll::Pending), instead) => {
                *this.instead = instead;
                Poll::Pending
            }
            (Ok(ready), _) => ready,
            (Err(_), Some(instead)) => Poll::Ready(instead()),
            // Polled again after its end, which no executor does.
            (Err(_), None) => Poll::Pending,
        }
    }
}

/// The body of an answer. If it panics, it fails, so that the client sees a broken message.
pub(super) struct ShieldedBody<B = Tracked>(Option<B>);

impl<B> ShieldedBody<B> {
    pub(super) const fn new(body: B) -> Self {
        Self(Some(body))
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for ShieldedBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = &mut self.0;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let fragile = Fragile(body);
            fragile.0.as_mut().map(|body| Pin::new(body).poll_frame(cx))
        }));
        polled.ok().flatten().unwrap_or_else(|| {
            let cause = "the answer was ended by a panic";
            let error = BodyError::new(Kind::Internal, Side::Gateway, cause);
            Poll::Ready(Some(Err(error)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Advance> Advance for ShieldedBody<B> {
    fn advance(&mut self, cx: &mut Context<'_>) {
        let body = &mut self.0;
        // Without its body, it fails when it is next asked for data.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let fragile = Fragile(body);
            if let Some(body) = fragile.0.as_mut() {
                body.advance(cx);
            }
        }));
    }
}

/// Drops a body that panics while the panic is on its way, so that the request's record knows how it
/// ended.
struct Fragile<'a, B>(&'a mut Option<B>);

impl<B> Drop for Fragile<'_, B> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0 = None;
        }
    }
}

/// The answer to a request that panicked. The request was recorded when it did.
pub(super) fn apology() -> Response<Tracked> {
    let (status, code) = (StatusCode::INTERNAL_SERVER_ERROR, "internal_error");
    let detail = "The gateway failed to serve this request.";
    refuse::problem(status, code, detail, RequestId::random().as_str()).map(Tracked::unrecorded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_panic_becomes_an_answer() {
        let mut context = Context::from_waker(Waker::noop());
        let mut shield = Box::pin(Shield::new(async { panic!("in a test") }, || 500));
        assert_eq!(shield.as_mut().poll(&mut context), Poll::Ready(500));
        let mut calm = Box::pin(Shield::new(async { 200 }, || 500));
        assert_eq!(calm.as_mut().poll(&mut context), Poll::Ready(200));
    }

    struct Broken<'a>(&'a std::cell::Cell<bool>);

    impl Body for Broken<'_> {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            panic!("in a test")
        }
    }

    impl Drop for Broken<'_> {
        fn drop(&mut self) {
            self.0.set(std::thread::panicking());
        }
    }

    #[test]
    fn a_body_that_panics_fails_and_is_dropped_knowing_why() {
        let mut context = Context::from_waker(Waker::noop());
        let knew = std::cell::Cell::new(false);
        let mut body = ShieldedBody::new(Broken(&knew));
        let polled = Pin::new(&mut body).poll_frame(&mut context);
        assert!(
            matches!(polled, Poll::Ready(Some(Err(error))) if error.facts.kind == Kind::Internal)
        );
        assert!(knew.get());
        assert!(body.is_end_stream());
    }
}
