//! What a client has sent and the service has not yet taken.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError};

/// Bytes that may wait; a client that sends more is not read until the service has taken some.
const MOST: usize = 64 * 1024;

/// The messages on their way from the client to the body of the call. Both ends are in one task.
#[derive(Clone, Default)]
pub(super) struct Inlet(Rc<RefCell<Waiting>>);

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
    /// Who waits for messages.
    taker: Option<Waker>,
    /// Who waits for room.
    giver: Option<Waker>,
}

impl Inlet {
    /// Ready once there is room.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.0.borrow_mut();
        if waiting.bytes < MOST {
            return Poll::Ready(());
        }
        waiting.giver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Adds a message with its prefix.
    pub(super) fn push(&self, message: Bytes) {
        let mut waiting = self.0.borrow_mut();
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        wake(&mut waiting.taker);
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        let mut waiting = self.0.borrow_mut();
        waiting.ended = true;
        wake(&mut waiting.taker);
    }

    /// The body of the call.
    pub(super) fn body(&self) -> Body {
        Body::boxed(Outgoing(self.clone()))
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

struct Outgoing(Inlet);

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut waiting = self.0.0.borrow_mut();
        if let Some(message) = waiting.messages.pop_front() {
            waiting.bytes -= message.len();
            wake(&mut waiting.giver);
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        waiting.taker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let waiting = self.0.0.borrow();
        waiting.ended && waiting.messages.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
