//! The streams of a connection: how many are open, and whether their clients take their answers.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use lintel_http::BodyError;
use lintel_http1::Timer;
use lintel_proxy::Tracked;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::super::shield::ShieldedBody;

/// All streams of a connection. hyper spawns their tasks through it.
#[derive(Clone)]
pub(super) struct Streams(Rc<Shared>);

struct Shared {
    open: Cell<u32>,
    begun: Cell<u32>,
    /// The stream whose task is about to be spawned: hyper asks the service for the future and hands
    /// it to the executor in one go.
    fresh: RefCell<Option<Rc<Stream>>>,
    /// The task of the connection, to be told when no stream is left.
    connection: RefCell<Option<Waker>>,
    write_timeout: Duration,
}

/// One stream.
pub(super) struct Stream {
    timer: Timer,
    /// A piece of the answer was given out, and the next was not asked for: its client has to make
    /// room first.
    waits: Cell<bool>,
    since: Cell<Option<Instant>>,
}

impl Streams {
    pub(super) fn new(write_timeout: Duration) -> Self {
        Self(Rc::new(Shared {
            open: Cell::new(0),
            begun: Cell::new(0),
            fresh: RefCell::new(None),
            connection: RefCell::new(None),
            write_timeout,
        }))
    }

    /// A stream whose future is made now and spawned next.
    pub(super) fn open(&self) -> Rc<Stream> {
        self.0.begun.set(self.0.begun.get().saturating_add(1));
        let stream = Rc::new(Stream {
            timer: Timer::new(),
            waits: Cell::new(false),
            since: Cell::new(None),
        });
        *self.0.fresh.borrow_mut() = Some(Rc::clone(&stream));
        stream
    }

    /// Counts a stream as open that lives on without its task.
    pub(super) fn hold(&self) -> Open {
        self.0.open.set(self.0.open.get() + 1);
        Open(Rc::clone(&self.0))
    }

    /// Streams begun so far.
    pub(super) fn begun(&self) -> u32 {
        self.0.begun.get()
    }

    /// Whether no stream is open; if some are, the task is woken when none is left.
    pub(super) fn poll_idle(&self, cx: &Context<'_>) -> bool {
        if self.0.open.get() == 0 {
            return true;
        }
        let mut connection = self.0.connection.borrow_mut();
        match &*connection {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => *connection = Some(cx.waker().clone()),
        }
        false
    }
}

impl Stream {
    /// The timer of the stream's task.
    pub(super) const fn timer(&self) -> &Timer {
        &self.timer
    }

    fn poll_stalled(&self, cx: &mut Context<'_>, timeout: Duration) -> Poll<()> {
        if !self.waits.get() {
            return Poll::Pending;
        }
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        self.timer.poll_deadline(cx, since + timeout)
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, future: F) {
        match self.0.fresh.borrow_mut().take() {
            Some(stream) => {
                let open = self.hold();
                tokio::task::spawn_local(Task {
                    future,
                    stream,
                    open,
                });
            }
            // Not a stream's.
            None => drop(tokio::task::spawn_local(future)),
        }
    }
}

pin_project! {
    /// The task of a stream. Ends early, and thereby resets the stream, if its client takes nothing
    /// of the answer for too long.
    struct Task<F> {
        #[pin]
        future: F,
        stream: Rc<Stream>,
        open: Open,
    }
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.future.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        this.stream.poll_stalled(cx, this.open.0.write_timeout)
    }
}

/// A stream that counts as open until this is dropped.
pub(super) struct Open(Rc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        if self.0.open.get() == 0
            && let Some(connection) = self.0.connection.borrow_mut().take()
        {
            connection.wake();
        }
    }
}

/// The body of an answer on a stream.
pub(super) struct StreamBody {
    body: ShieldedBody,
    /// The answer has no body, whatever `body` holds.
    bodiless: bool,
    stream: Rc<Stream>,
}

impl StreamBody {
    pub(super) const fn new(body: Tracked, bodiless: bool, stream: Rc<Stream>) -> Self {
        Self {
            body: ShieldedBody::new(body),
            bodiless,
            stream,
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.bodiless {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.stream
            .waits
            .set(matches!(polled, Poll::Ready(Some(Ok(_)))));
        self.stream.since.set(None);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.bodiless || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.bodiless {
            SizeHint::with_exact(0)
        } else {
            self.body.size_hint()
        }
    }
}
