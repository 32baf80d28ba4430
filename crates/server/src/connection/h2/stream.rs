//! What is known of the streams of a connection.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Waker},
};

use http::{HeaderMap, Response, StatusCode};
use lintel_http::h2::remove_connection_fields;
use lintel_http1::Timer;

use super::Session;

/// All streams of a connection.
#[derive(Default)]
pub(super) struct Streams {
    open: Cell<u32>,
    begun: Cell<u32>,
    /// Timers of streams that have ended: the next stream finds its timer armed already, and most
    /// requests are over before anything of it falls due.
    timers: RefCell<Vec<Timer>>,
    /// The task of the connection, to be told when no stream is left.
    connection: RefCell<Option<Waker>>,
}

/// One stream, which counts as open until this is dropped.
pub(super) struct Stream {
    pub(super) session: Rc<Session>,
    timer: Timer,
    /// Interim answers that the stream's task is to send.
    interim: RefCell<Vec<Response<()>>>,
    /// The stream's task, where others may have news for it.
    task: RefCell<Option<Waker>>,
}

impl Streams {
    /// Streams begun so far.
    pub(super) const fn begun(&self) -> u32 {
        self.begun.get()
    }

    /// Whether no stream is open; if some are, the task is woken when none is left.
    pub(super) fn poll_idle(&self, cx: &Context<'_>) -> bool {
        if self.open.get() == 0 {
            return true;
        }
        let mut connection = self.connection.borrow_mut();
        match &*connection {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => *connection = Some(cx.waker().clone()),
        }
        false
    }
}

impl Stream {
    pub(super) fn open(session: &Rc<Session>) -> Rc<Self> {
        let streams = &session.streams;
        streams.begun.set(streams.begun.get().saturating_add(1));
        streams.open.set(streams.open.get() + 1);
        Rc::new(Self {
            session: Rc::clone(session),
            timer: streams.timers.borrow_mut().pop().unwrap_or_default(),
            interim: RefCell::default(),
            task: RefCell::default(),
        })
    }

    /// The timer of the stream's task.
    pub(super) const fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Has an interim answer (RFC 9110 §15.2) sent ahead of the answer. Nothing is done for 101,
    /// which HTTP/2 has not (RFC 9113 §8.6), nor for what is no interim status.
    pub(super) fn interim(&self, status: StatusCode, headers: &HeaderMap) {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        remove_connection_fields(response.headers_mut());
        self.interim.borrow_mut().push(response);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Has the task woken that this is called from when there is an interim answer to send.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        *self.task.borrow_mut() = Some(cx.waker().clone());
    }

    /// The interim answers to send now.
    pub(super) fn take_interim(&self) -> Vec<Response<()>> {
        self.interim.take()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let streams = &self.session.streams;
        let timer = std::mem::take(&mut self.timer);
        if !timer.is_shared() {
            streams.timers.borrow_mut().push(timer);
        }
        streams.open.set(streams.open.get().saturating_sub(1));
        if streams.open.get() == 0
            && let Some(connection) = streams.connection.take()
        {
            connection.wake();
        }
    }
}
