//! Waiting for the next request.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::time::Instant;

use super::Options;
use super::connection::{Shared, make_room};
use super::drain::Registration;
use crate::error::Refusal;
use crate::head::{HeadLimits, ParseStop, RequestHead, Scan, parse_request};
use crate::io::Io;
use crate::receive::poll_read;

/// The wait for one head.
pub(super) struct Wait {
    limits: HeadLimits,
    /// When nothing has come by then, the connection is closed.
    idle_deadline: Option<Instant>,
    /// When the head's first bytes were there.
    started: Option<Instant>,
}

/// How a wait ended.
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the usual one, and is moved once"
)]
pub(super) enum Waited {
    Request(RequestHead, Came),
    /// Closed or idle for too long or draining, with no request begun.
    Over,
    /// Ended or broken inside a head.
    CutOff,
    Refused(Refusal),
    Http2,
}

/// When a head came.
#[derive(Clone, Copy)]
pub(super) struct Came {
    /// Its first bytes.
    pub(super) started: Instant,
    /// All of it.
    pub(super) completed: Instant,
}

const HEAD_TIMEOUT: Refusal = Refusal::new(
    http::StatusCode::REQUEST_TIMEOUT,
    "request head not received in time",
    "RFC 9110 §15.5.9",
);

impl Wait {
    pub(super) fn new(options: &Options, first: bool) -> Self {
        Self {
            limits: HeadLimits {
                bytes: options.max_header_bytes,
                fields: options.max_headers,
                target: options.max_uri_bytes,
            },
            idle_deadline: first.then(|| Instant::now() + options.header_timeout),
            started: None,
        }
    }

    pub(super) fn poll<IO: Io>(
        &mut self,
        shared: &Shared<IO>,
        options: &Options,
        drain: &Registration,
        first: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Waited> {
        let mut inner = shared.inner.borrow_mut();
        let inner = &mut *inner;
        let Some(io) = inner.io.as_mut() else {
            return Poll::Ready(Waited::Over);
        };
        loop {
            if !inner.read.is_empty()
                && let Some(waited) = self.parse(&mut inner.read, &mut inner.scan, first)
            {
                return Poll::Ready(waited);
            }
            if inner.read_closed || (inner.read.is_empty() && drain.poll_draining(cx)) {
                return Poll::Ready(if inner.read.is_empty() {
                    Waited::Over
                } else {
                    Waited::CutOff
                });
            }
            if inner.read.is_empty() {
                // Idle: no buffer is held while waiting.
                if inner.read.capacity() > 0 {
                    crate::buffer::put_read(std::mem::take(&mut inner.read));
                }
                match io.poll_readable(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Waited::Over),
                    Poll::Pending => return self.poll_timeout(shared, options, cx),
                }
            }
            make_room(&mut inner.read);
            match poll_read(io, &mut inner.read, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => {
                    return Poll::Ready(if inner.read.is_empty() {
                        Waited::Over
                    } else {
                        Waited::CutOff
                    });
                }
                Poll::Pending => {
                    if inner.read.is_empty() {
                        crate::buffer::put_read(std::mem::take(&mut inner.read));
                    }
                    return self.poll_timeout(shared, options, cx);
                }
            }
        }
    }

    fn parse(&mut self, read: &mut BytesMut, scan: &mut Scan, first: bool) -> Option<Waited> {
        const LATE_PREFACE: Refusal =
            Refusal::bad("HTTP/2 preface after a request", "RFC 9113 §3.4");
        let earlier = self.started;
        let started = *self.started.get_or_insert_with(Instant::now);
        match parse_request(read, scan, &self.limits) {
            Ok(Some(head)) => {
                // A head that comes in one piece, as nearly all do, is complete when it begins.
                let completed = earlier.map_or(started, |_| Instant::now());
                Some(Waited::Request(head, Came { started, completed }))
            }
            Ok(None) => None,
            Err(ParseStop::Refused(refusal)) => Some(Waited::Refused(refusal)),
            Err(ParseStop::Http2) if first => Some(Waited::Http2),
            Err(ParseStop::Http2) => Some(Waited::Refused(LATE_PREFACE)),
        }
    }

    fn poll_timeout<IO: Io>(
        &mut self,
        shared: &Shared<IO>,
        options: &Options,
        cx: &mut Context<'_>,
    ) -> Poll<Waited> {
        if let Some(started) = self.started {
            ready!(
                shared
                    .timer
                    .poll_deadline(cx, started + options.header_timeout)
            );
            return Poll::Ready(Waited::Refused(HEAD_TIMEOUT));
        }
        let deadline = *self
            .idle_deadline
            .get_or_insert_with(|| Instant::now() + options.idle_timeout);
        ready!(shared.timer.poll_deadline(cx, deadline));
        Poll::Ready(Waited::Over)
    }
}
