//! Ending a connection so that the last answer arrives.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Shared;
use crate::buffer;
use crate::io::Io;
use crate::receive::poll_read;

/// Longest wait for a client that is told to stop.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// Bytes read and thrown away meanwhile.
const LINGER_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of an unread body that are worth reading to keep the connection.
pub(super) const DRAIN_BYTES: u64 = 64 * 1024;
/// Time for it.
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// Ends the sending side in good order where dropping the stream would not.
pub(super) async fn close<IO: Io>(shared: &Shared<IO>) {
    if !IO::ORDERLY_DROP {
        let deadline = Instant::now() + LINGER_TIME;
        let _closed_or_late = shared
            .timer
            .timeout_at(deadline, poll_fn(|cx| poll_shutdown(shared, cx)))
            .await;
    }
    shared.inner.borrow_mut().end();
}

/// Ends the sending side, then reads until the client has seen it (RFC 9112 §9.6): data that arrives after a close makes the kernel
/// send a reset, which can destroy the answer before the client has read it.
pub(super) async fn linger<IO: Io>(shared: &Shared<IO>) {
    let deadline = Instant::now() + LINGER_TIME;
    let mut left = LINGER_BYTES;
    let _closed_or_late = shared
        .timer
        .timeout_at(deadline, async {
            poll_fn(|cx| poll_shutdown(shared, cx)).await;
            poll_fn(|cx| poll_discard(shared, &mut left, cx)).await;
        })
        .await;
    shared.inner.borrow_mut().end();
}

/// Reads the rest of a small unread body, so that the next request can follow. False: it is too large, too slow or broken.
pub(super) async fn drain_body<IO: Io>(shared: &Shared<IO>) -> bool {
    {
        let receiver = &mut shared.inner.borrow_mut().receiver;
        receiver.set_limit(receiver.received().saturating_add(DRAIN_BYTES));
    }
    let rest = poll_fn(|cx| {
        let mut inner = shared.inner.borrow_mut();
        let inner = &mut *inner;
        let Some(io) = inner.io.as_mut() else {
            return Poll::Ready(false);
        };
        loop {
            match ready!(
                inner
                    .receiver
                    .poll_frame(io, &mut inner.read, &shared.timer, cx)
            ) {
                Some(Ok(_)) => {}
                Some(Err(_)) => return Poll::Ready(false),
                None => return Poll::Ready(true),
            }
        }
    });
    shared
        .timer
        .timeout_at(Instant::now() + DRAIN_TIME, rest)
        .await
        .unwrap_or(false)
}

fn poll_shutdown<IO: Io>(shared: &Shared<IO>, cx: &mut Context<'_>) -> Poll<()> {
    match shared.inner.borrow_mut().io.as_mut() {
        Some(io) => Pin::new(io).poll_shutdown(cx).map(|_| ()),
        None => Poll::Ready(()),
    }
}

fn poll_discard<IO: Io>(shared: &Shared<IO>, left: &mut u64, cx: &mut Context<'_>) -> Poll<()> {
    let mut inner = shared.inner.borrow_mut();
    let inner = &mut *inner;
    let Some(io) = inner.io.as_mut() else {
        return Poll::Ready(());
    };
    if inner.read.capacity() == 0 {
        inner.read = buffer::take_read();
    }
    loop {
        inner.read.clear();
        if inner.read.capacity() == 0 {
            inner.read.reserve(buffer::READ_SIZE);
        }
        match ready!(poll_read(io, &mut inner.read, cx)) {
            Ok(0) | Err(_) => return Poll::Ready(()),
            Ok(count) => *left = left.saturating_sub(count as u64),
        }
        if *left == 0 {
            return Poll::Ready(());
        }
    }
}
