//! How long an upstream may take to begin its answer.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use lintel_http1::Timer;
use tokio::time::Instant;

use super::upload::Progress;

/// Runs out `first_byte` after the upstream last took something of the request, or at the
/// deadline of the whole exchange. While the client is the one to send more of its body, the
/// upstream's time does not run.
pub(crate) struct Patience<'a> {
    pub(crate) timer: &'a Timer,
    pub(crate) first_byte: Duration,
    pub(crate) deadline: Option<Instant>,
    /// When to look again; at first `first_byte` after the request was begun.
    pub(crate) due: Instant,
    pub(crate) progress: Option<Rc<Progress>>,
}

/// The upstream took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It did nothing for `first_byte`.
    FirstByte,
    /// The deadline of the whole exchange has passed.
    Deadline,
}

impl Patience<'_> {
    /// Waits for `exchange` as long as patience lasts.
    pub(crate) async fn wait<F: Future>(
        &mut self,
        mut exchange: Pin<&mut F>,
    ) -> Result<F::Output, Late> {
        poll_fn(|cx| match exchange.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_late(cx).map(Err),
        })
        .await
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        loop {
            if let Some(progress) = &self.progress
                && !progress.is_starved()
            {
                self.due = self.due.max(progress.taken() + self.first_byte);
            }
            if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= self.due) {
                ready!(self.timer.poll_deadline(cx, deadline));
                return Poll::Ready(Late::Deadline);
            }
            ready!(self.timer.poll_deadline(cx, self.due));
            match &self.progress {
                Some(progress) if progress.is_starved() => {
                    self.due = Instant::now() + self.first_byte
                }
                Some(progress) if progress.taken() + self.first_byte > self.due => {}
                _ => return Poll::Ready(Late::FirstByte),
            }
        }
    }
}
