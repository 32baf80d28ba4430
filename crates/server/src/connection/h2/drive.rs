//! The life of an HTTP/2 connection: idle times, the last request, draining.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use lintel_http1::{Timer, server::Options};
use tokio::time::Instant;

use super::{frames::Traffic, streams::Streams};
use crate::drain::Closing;

/// How long the client of a connection that has no stream left may take to answer a GOAWAY.
const GOODBYE: Duration = Duration::from_secs(5);

/// A connection that can be asked to end.
pub(super) trait Served: Future<Output = hyper::Result<()>> {
    /// Sends GOAWAY: streams that are open are finished, no further ones are taken.
    fn ask_to_end(self: Pin<&mut Self>);
}

impl<I, S, B, E> Served for hyper::server::conn::http2::Connection<I, S, E>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn ask_to_end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection to its end.
pub(super) async fn drive(
    mut served: Pin<&mut impl Served>,
    streams: &Streams,
    traffic: &Traffic,
    options: &Options,
    closing: &Closing,
) -> hyper::Result<()> {
    let mut asked = pin!(closing.asked());
    let timer = Timer::new();
    let mut life = Life {
        ending: false,
        deadline: None,
        greeted: false,
    };
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = served.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            let last = streams.begun() >= options.max_requests && options.max_requests != u32::MAX;
            if !life.ending && (last || asked.as_mut().poll(cx).is_ready()) {
                life.end();
                served.as_mut().ask_to_end();
                continue;
            }
            if !streams.poll_idle(cx) {
                life.deadline = None;
                return Poll::Pending;
            }
            let deadline = life.deadline(traffic, options);
            if timer.poll_deadline(cx, deadline).is_pending() {
                return Poll::Pending;
            }
            life.deadline = None;
            if traffic.take_progress() {
                // The rest of an answer is still on its way out.
                continue;
            }
            if life.ending || !life.greeted {
                return Poll::Ready(Ok(()));
            }
            life.end();
            served.as_mut().ask_to_end();
        }
    })
    .await
}

struct Life {
    /// GOAWAY was sent.
    ending: bool,
    greeted: bool,
    /// When a connection without streams is given up.
    deadline: Option<Instant>,
}

impl Life {
    fn end(&mut self) {
        self.ending = true;
        self.deadline = None;
    }

    fn deadline(&mut self, traffic: &Traffic, options: &Options) -> Instant {
        if !self.greeted && traffic.is_greeted() {
            self.greeted = true;
            self.deadline = None;
        }
        let allowed = match (self.ending, self.greeted) {
            (true, _) => GOODBYE,
            (false, true) => options.idle_timeout,
            (false, false) => options.header_timeout,
        };
        *self
            .deadline
            .get_or_insert_with(|| Instant::now() + allowed)
    }
}
