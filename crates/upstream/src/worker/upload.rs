//! The body of a request on its way to the upstream.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError, h2::Advance};
use lintel_kernel::Facts;
use tokio::time::Instant;

/// A request body, and word of how far it is: whose turn it is while nothing happens.
pub(crate) struct Upload {
    body: Body,
    progress: Option<Rc<Progress>>,
}

/// How far a request body is.
pub(crate) struct Progress {
    /// When the upstream last took a frame.
    taken: Cell<Instant>,
    /// The client is to send more; the upstream has all there was.
    starved: Cell<bool>,
    /// How the body failed.
    failed: RefCell<Option<(Facts, String)>>,
}

impl Upload {
    /// A body that is known to be empty is not followed, and costs nothing.
    pub(crate) fn new(body: Body) -> Self {
        let progress = (!http_body::Body::is_end_stream(&body)).then(|| {
            Rc::new(Progress {
                taken: Cell::new(Instant::now()),
                starved: Cell::new(false),
                failed: RefCell::new(None),
            })
        });
        Self { body, progress }
    }

    pub(crate) fn progress(&self) -> Option<Rc<Progress>> {
        self.progress.clone()
    }

    pub(crate) fn into_body(self) -> Body {
        self.body
    }
}

impl Progress {
    pub(crate) const fn taken(&self) -> Instant {
        self.taken.get()
    }

    pub(crate) const fn is_starved(&self) -> bool {
        self.starved.get()
    }

    pub(crate) fn failure(&self) -> Option<(Facts, String)> {
        self.failed.take()
    }

    fn polled(&self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        self.starved.set(polled.is_pending());
        match polled {
            Poll::Pending => {}
            Poll::Ready(Some(Err(error))) => {
                *self.failed.borrow_mut() = Some((error.facts, error.cause.clone()));
            }
            Poll::Ready(_) => self.taken.set(Instant::now()),
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(progress) = &self.progress {
            progress.polled(&polled);
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

impl Advance for Upload {}
