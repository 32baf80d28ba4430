//! The body of a response.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::Recycle;
use super::connection::Conn;
use super::pump::{Rest, Way};
use crate::error::BodyError;
use crate::io::Io;
use crate::receive::Receiver;
use crate::timer::Timer;

/// The body of a response, read from the upstream as it is polled and no faster.
///
/// While the request is not sent whole, polling it also sends on. Frames are slices of the read buffer: keeping a small one keeps
/// up to 64 KiB, so copy what is to be stored. Dropped before its end, it closes the connection.
pub struct Incoming<IO>(State<IO>);

enum State<IO> {
    /// All that is left is here; the connection has gone its way.
    Whole(Bytes),
    Streaming(Box<Streaming<IO>>),
    Failed,
}

pub(super) struct Streaming<IO> {
    pub(super) conn: Conn<IO>,
    pub(super) receiver: Receiver,
    /// What is left to send of the request.
    pub(super) rest: Option<Box<dyn Rest<IO>>>,
    /// Both sides keep the connection, and the request was or will be sent whole.
    pub(super) persistent: bool,
    pub(super) recycle: Rc<dyn Recycle<IO>>,
    pub(super) timer: Timer,
    pub(super) write_timeout: Duration,
}

impl<IO> Incoming<IO> {
    /// A body that is at hand; empty bytes make an empty body.
    pub fn whole(body: Bytes) -> Self {
        Self(State::Whole(body))
    }

    pub(super) fn streaming(streaming: Streaming<IO>) -> Self {
        Self(State::Streaming(Box::new(streaming)))
    }
}

impl<IO: Io> Body for Incoming<IO> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let streaming = match &mut self.0 {
            State::Whole(body) if body.is_empty() => return Poll::Ready(None),
            State::Whole(body) => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            State::Failed => return Poll::Ready(Some(Err(BodyError::Closed))),
            State::Streaming(streaming) => streaming,
        };
        let polled = streaming.poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.0 = State::Failed,
            // The end is noticed with the last frame, so that the connection is free as early as can be.
            Poll::Ready(_) if streaming.receiver.is_done() => {
                if let State::Streaming(streaming) =
                    std::mem::replace(&mut self.0, State::Whole(Bytes::new()))
                {
                    streaming.finish();
                }
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, State::Whole(body) if body.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Whole(body) => SizeHint::with_exact(body.len() as u64),
            State::Streaming(streaming) => streaming.receiver.size_hint(),
            State::Failed => SizeHint::default(),
        }
    }
}

impl<IO: Io> Streaming<IO> {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let link = self.conn.link();
        if let Some(rest) = self.rest.as_mut() {
            let way = Way {
                io: &mut link.io,
                out: &mut link.out,
                timer: &self.timer,
                write_timeout: self.write_timeout,
            };
            // The upstream has answered: a request that can't be completed any more ends the connection and not the answer.
            if let Poll::Ready(complete) = rest.poll_rest(way, cx) {
                self.persistent &= complete;
                self.rest = None;
            }
        }
        self.receiver
            .poll_frame(&mut link.io, &mut link.read, &self.timer, cx)
    }

    /// The response is complete: the connection goes back if nothing stands against it.
    fn finish(mut self) {
        if !self.persistent || self.rest.is_some() {
            return;
        }
        let link = self.conn.link();
        if link.read.is_empty() {
            link.release();
            link.idle_since = Instant::now();
            self.recycle.recycle(self.conn);
        }
    }
}
