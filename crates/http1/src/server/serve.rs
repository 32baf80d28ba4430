//! The life of a client connection.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::BytesMut;
use http::{Method, Request, StatusCode, Version};
use tokio::time::Instant;

use super::connection::{Handle, Owner, Shared};
use super::drain::{Drain, Registration};
use super::incoming::Incoming;
use super::linger::{self, DRAIN_BYTES};
use super::next::{Wait, Waited};
use super::respond::{self, Asked, Whole};
use super::{Meta, Options, Reply, ServeError, Service};
use crate::chunk::Chunked;
use crate::error::Refusal;
use crate::head::RequestHead;
use crate::io::Io;
use crate::receive::{Framing, Receiver};
use crate::upgraded::Upgraded;

/// What to do once an answer is written.
enum After {
    Next,
    Close,
    Linger,
    Tunnelled,
}

/// Serves one client connection until it ends.
///
/// `already_read` are bytes that were read from `io` before, if any. Requests are answered in order (RFC 9112 §9.3.2). While a
/// connection is idle it holds no read or write buffer. Dropping the future closes the connection.
///
/// # Errors
///
/// A [`ServeError`] tells why the connection ended other than in good order; whatever could be answered has been.
/// [`ServeError::Http2`] hands the stream back.
pub async fn serve<IO: Io, S: Service<IO>>(
    io: IO,
    already_read: BytesMut,
    service: &S,
    options: &Options,
    drain: &Drain,
) -> Result<(), ServeError<IO>> {
    let owner = Owner(Rc::new(Shared::new(io, already_read)));
    let shared = &owner.0;
    let registration = drain.register();
    let mut index = 0_u32;
    loop {
        let first = index == 0;
        let mut wait = Wait::new(options, first);
        match poll_fn(|cx| wait.poll(shared, options, &registration, first, cx)).await {
            Waited::Request(head, received_at) => {
                let last = index.saturating_add(1) >= options.max_requests
                    && options.max_requests != u32::MAX;
                let asked = Asked {
                    head_only: head.method == Method::HEAD,
                    connect: head.method == Method::CONNECT,
                    version_1_0: head.version_1_0,
                };
                let exchange = Exchange {
                    asked,
                    persistent: head.keep_alive() && !last,
                };
                let (request, meta, handle) = begin(shared, options, head, received_at, index);
                let reply = call(shared, options, service.call(request, meta, handle)).await?;
                match answer(shared, options, &registration, service, reply, exchange).await? {
                    After::Next => index = index.saturating_add(1),
                    After::Close => break linger::close(shared).await,
                    After::Linger => break linger::linger(shared).await,
                    After::Tunnelled => break,
                }
            }
            Waited::Over => break linger::close(shared).await,
            Waited::CutOff => return Err(ServeError::ClientGone),
            Waited::Refused(refusal) => {
                refuse(shared, options, service, refusal, false).await?;
                linger::linger(shared).await;
                return Err(ServeError::Refused(refusal));
            }
            Waited::Http2 => return hand_over(shared),
        }
    }
    Ok(())
}

/// What of a request matters after its head is gone.
#[derive(Clone, Copy)]
struct Exchange {
    asked: Asked,
    persistent: bool,
}

fn hand_over<IO: Io>(shared: &Shared<IO>) -> Result<(), ServeError<IO>> {
    match shared.inner.borrow_mut().take() {
        Some((io, read)) => Err(ServeError::Http2(Box::new(Upgraded::new(io, read)))),
        None => Err(ServeError::ClientGone),
    }
}

/// Turns a head into what the handler gets, and makes the connection ready for its body.
fn begin<IO: Io>(
    shared: &Rc<Shared<IO>>,
    options: &Options,
    mut head: RequestHead,
    received_at: Instant,
    request_index: u32,
) -> (Request<Incoming<IO>>, Meta, Handle<IO>) {
    let framing = if head.is_chunked() {
        Framing::Chunked(Chunked::new(head.fields.connection.take_listed()))
    } else {
        Framing::length(head.fields.content_length.unwrap_or(0))
    };
    let exchange = {
        let mut inner = shared.inner.borrow_mut();
        inner.receiver = Receiver::new(framing, options.body_idle_timeout);
        inner.exchange = inner.exchange.wrapping_add(1);
        inner.body_wanted = true;
        // Without a body there is nothing to wait for (RFC 9110 §10.1.1).
        inner.expects_continue = head.fields.expect == Some(true) && !inner.receiver.is_done();
        inner.interim_allowed = !head.version_1_0;
        inner.close = false;
        inner.exchange
    };
    let version = if head.version_1_0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    let meta = Meta {
        version,
        received_at,
        upgrade: head
            .fields
            .upgrade
            .take()
            .filter(|_| head.fields.connection.upgrade),
        te_trailers: head.fields.te_trailers,
        expect_continue: head.fields.expect == Some(true),
        target_scheme: head.scheme,
        request_index,
        head_bytes: head.len,
    };
    let mut request = Request::new(Incoming::new(Rc::clone(shared), exchange));
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.version_mut() = version;
    *request.headers_mut() = head.fields.headers;
    (request, meta, Handle::new(Rc::clone(shared), exchange))
}

async fn call<IO: Io, B>(
    shared: &Shared<IO>,
    options: &Options,
    handler: impl Future<Output = Reply<B, IO>>,
) -> Result<Reply<B, IO>, ServeError<IO>> {
    let mut handler = pin!(handler);
    poll_fn(|cx| {
        if let Poll::Ready(reply) = handler.as_mut().poll(cx) {
            return Poll::Ready(Ok(reply));
        }
        match shared.poll_beside(options, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    })
    .await
}

async fn answer<IO: Io, S: Service<IO>>(
    shared: &Rc<Shared<IO>>,
    options: &Options,
    drain: &Registration,
    service: &S,
    reply: Reply<S::Body, IO>,
    exchange: Exchange,
) -> Result<After, ServeError<IO>> {
    let (parts, body) = reply.response.into_parts();
    let tunnel = reply.tunnel;
    let asked = exchange.asked;
    let whole = shared.inner.borrow().receiver.is_done();
    let plan = match respond::plan(&parts, &body, tunnel.is_some(), asked) {
        // Bytes of a request that is not complete can't become the first bytes of another protocol (RFC 9110 §7.8).
        Ok(plan) if tunnel.is_none() || whole => plan,
        _ => {
            const UNFRAMEABLE: Refusal = Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "answer can't be framed",
                "RFC 9112 §6.3",
            );
            refuse(shared, options, service, UNFRAMEABLE, asked.head_only).await?;
            return Ok(After::Linger);
        }
    };
    let close =
        plan.needs_close() || !exchange.persistent || drain.is_draining() || must_close(shared);
    let says_close = close && tunnel.is_none();
    respond::write(
        shared,
        options,
        parts,
        body,
        plan,
        says_close,
        asked.version_1_0,
    )
    .await?;
    if let Some(tunnel) = tunnel {
        let taken = shared.inner.borrow_mut().take();
        if let Some((io, read)) = taken {
            tunnel(Upgraded::new(io, read)).await;
        }
        return Ok(After::Tunnelled);
    }
    Ok(finish(shared, close).await)
}

/// Whether the connection can't go on after this answer for reasons of its own.
fn must_close<IO: Io>(shared: &Shared<IO>) -> bool {
    let inner = shared.inner.borrow();
    let receiver = &inner.receiver;
    // A body that nobody will read: if it is long, or if the client may or may not send it (RFC 9110 §10.1.1), the connection
    // can't be kept.
    let unread = !receiver.is_done() && !inner.body_wanted;
    let long = receiver.left().is_some_and(|left| left > DRAIN_BYTES);
    inner.close
        || inner.read_closed
        || receiver.is_lost()
        || (unread && (long || inner.expects_continue))
}

/// After an answer: on to the next request, or how to close.
async fn finish<IO: Io>(shared: &Rc<Shared<IO>>, close: bool) -> After {
    let (exchange, whole, hopeless) = {
        let mut inner = shared.inner.borrow_mut();
        inner.exchange = inner.exchange.wrapping_add(1);
        inner.release();
        // A client that was never told to continue may send the body or not (RFC 9110 §10.1.1): what comes next is ambiguous.
        let hopeless = inner.receiver.is_lost() || inner.expects_continue;
        (inner.exchange, inner.receiver.is_done(), hopeless)
    };
    if whole {
        // Nothing is processed after a close (RFC 9112 §9.6), but what has come must not turn it into a reset.
        let surplus = !shared.inner.borrow().read.is_empty();
        return if !close {
            After::Next
        } else if surplus {
            After::Linger
        } else {
            After::Close
        };
    }
    if close || hopeless {
        return After::Linger;
    }
    let mut rest = Incoming::new(Rc::clone(shared), exchange);
    if linger::drain_body(shared, &mut rest).await {
        After::Next
    } else {
        After::Linger
    }
}

async fn refuse<IO: Io, S: Service<IO>>(
    shared: &Shared<IO>,
    options: &Options,
    service: &S,
    refusal: Refusal,
    head_only: bool,
) -> Result<(), ServeError<IO>> {
    let (mut parts, body) = service.refused(refusal).into_parts();
    let body = Whole(body);
    let plan = respond::plan_refusal(&mut parts, &body, head_only);
    respond::write(shared, options, parts, body, plan, true, false).await
}
