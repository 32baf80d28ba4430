//! The life of a client connection.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, Version};
use http_body::Body;

use super::connection::{Handle, Owner, Shared};
use super::drain::{Drain, Registration};
use super::incoming::Incoming;
use super::linger::{self, DRAIN_BYTES};
use super::next::{Came, Wait, Waited};
use super::respond::{self, Answer, Asked, Unframeable, Whole};
use super::{Meta, Options, Reply, ServeError, Service, Tunnel};
use crate::chunk::Chunked;
use crate::error::Refusal;
use crate::head::{RequestHead, RequestLine};
use crate::io::Io;
use crate::receive::{Framing, Receiver};
use crate::upgraded::Upgraded;

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
        let next = {
            let mut wait = Wait::new(options, index == 0);
            poll_fn(|cx| poll_next(shared, options, &registration, &mut wait, index, cx)).await
        };
        let (request, meta, handle, exchange) = match next {
            Ok(next) => next,
            Err(end) => return finish(shared, options, service, end).await,
        };
        let reply = {
            let mut handler = pin!(service.call(request, meta, handle));
            poll_fn(|cx| poll_call(shared, options, handler.as_mut(), cx)).await?
        };
        let tunnel = match prepare(shared, &registration, reply, exchange) {
            Err(Unframeable) => {
                return finish(shared, options, service, End::Unframeable(exchange)).await;
            }
            Ok((mut answer, close, tunnel)) => {
                poll_fn(|cx| answer.poll(shared, options, cx)).await?;
                if tunnel.is_none() {
                    drop(answer);
                    match after(shared, close) {
                        After::Next => {}
                        After::Drain if linger::drain_body(shared).await => {}
                        After::Close => return finish(shared, options, service, End::Close).await,
                        After::Drain | After::Linger => {
                            return finish(shared, options, service, End::Linger).await;
                        }
                    }
                }
                tunnel
            }
        };
        if let Some(tunnel) = tunnel {
            return hand_to(shared, tunnel).await;
        }
        index = index.saturating_add(1);
    }
}

/// A request as the handler gets it, and what matters after its head is gone.
type Begun<IO> = (Request<Incoming<IO>>, Meta, Handle<IO>, Exchange);

fn poll_next<IO: Io>(
    shared: &Rc<Shared<IO>>,
    options: &Options,
    drain: &Registration,
    wait: &mut Wait,
    index: u32,
    cx: &mut Context<'_>,
) -> Poll<Result<Begun<IO>, End>> {
    let waited = ready!(wait.poll(shared, options, drain, index == 0, cx));
    Poll::Ready(match waited {
        Waited::Request(head, came) => Ok(begin(shared, options, head, came, index)),
        Waited::Over => Err(End::Close),
        Waited::CutOff => Err(End::CutOff),
        Waited::Refused(refusal) => Err(End::Refused(refusal)),
        Waited::Http2 => Err(End::Http2),
    })
}

/// How a connection ends.
enum End {
    Close,
    Linger,
    CutOff,
    Refused(Refusal),
    Unframeable(Exchange),
    Http2,
}

/// What of a request matters after its head is gone.
#[derive(Clone, Copy)]
struct Exchange {
    asked: Asked,
    persistent: bool,
}

impl Exchange {
    fn of(head: &RequestHead, options: &Options, index: u32) -> Self {
        let last =
            index.saturating_add(1) >= options.max_requests && options.max_requests != u32::MAX;
        let asked = Asked {
            head_only: head.method == Method::HEAD,
            connect: head.method == Method::CONNECT,
            version_1_0: head.version_1_0,
        };
        Self {
            asked,
            persistent: head.keep_alive() && !last,
        }
    }
}

/// Turns a head into what the handler gets, and makes the connection ready for its body.
fn begin<IO: Io>(
    shared: &Rc<Shared<IO>>,
    options: &Options,
    mut head: RequestHead,
    came: Came,
    request_index: u32,
) -> Begun<IO> {
    let exchange = Exchange::of(&head, options, request_index);
    let framing = if head.is_chunked() {
        Framing::Chunked(Chunked::new(head.fields.connection.take_listed()))
    } else {
        Framing::length(head.fields.content_length.unwrap_or(0))
    };
    let number = {
        let mut inner = shared.inner.borrow_mut();
        inner.receiver = Receiver::new(framing, options.body_idle_timeout);
        inner.exchange = inner.exchange.wrapping_add(1);
        inner.body_wanted = true;
        inner.next_look = None;
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
        received_at: came.started,
        completed_at: came.completed,
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
    let mut request = Request::new(Incoming::new(Rc::clone(shared), number));
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.version_mut() = version;
    *request.headers_mut() = head.fields.headers;
    (
        request,
        meta,
        Handle::new(Rc::clone(shared), number),
        exchange,
    )
}

fn poll_call<IO: Io, F: Future>(
    shared: &Shared<IO>,
    options: &Options,
    handler: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, ServeError<IO>>> {
    if let Poll::Ready(reply) = handler.poll(cx) {
        return Poll::Ready(Ok(reply));
    }
    match shared.poll_beside(options, cx) {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// An answer to write, whether the connection closes after it, and who takes over then.
type Prepared<B, IO> = (Answer<B>, bool, Option<Tunnel<IO>>);

fn prepare<IO: Io, B>(
    shared: &Shared<IO>,
    drain: &Registration,
    reply: Reply<B, IO>,
    exchange: Exchange,
) -> Result<Prepared<B, IO>, Unframeable>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    let (parts, body) = reply.response.into_parts();
    let asked = exchange.asked;
    let plan = respond::plan(&parts, &body, reply.tunnel.is_some(), asked)?;
    if reply.tunnel.is_some() {
        // Bytes of a request that is not complete can't become the first bytes of another protocol (RFC 9110 §7.8).
        if !shared.inner.borrow().receiver.is_done() {
            return Err(Unframeable);
        }
        let answer = Answer::begin(shared, parts, body, plan, false, asked.version_1_0);
        return Ok((answer, false, reply.tunnel));
    }
    let close =
        plan.needs_close() || !exchange.persistent || drain.is_draining() || must_close(shared);
    Ok((
        Answer::begin(shared, parts, body, plan, close, asked.version_1_0),
        close,
        None,
    ))
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

/// What to do once an answer is written.
enum After {
    Next,
    /// Read the rest of the request body away first.
    Drain,
    Close,
    Linger,
}

fn after<IO: Io>(shared: &Shared<IO>, close: bool) -> After {
    let mut inner = shared.inner.borrow_mut();
    inner.exchange = inner.exchange.wrapping_add(1);
    inner.release();
    if inner.receiver.is_done() {
        // Nothing is processed after a close (RFC 9112 §9.6), but what has come must not turn it into a reset.
        return match close {
            false => After::Next,
            true if inner.read.is_empty() => After::Close,
            true => After::Linger,
        };
    }
    // A client that was never told to continue may send the body or not (RFC 9110 §10.1.1): what comes next is ambiguous.
    if close || inner.receiver.is_lost() || inner.expects_continue {
        After::Linger
    } else {
        After::Drain
    }
}

async fn hand_to<IO: Io>(shared: &Shared<IO>, tunnel: Tunnel<IO>) -> Result<(), ServeError<IO>> {
    let taken = shared.inner.borrow_mut().take();
    if let Some((io, read)) = taken {
        tunnel(Upgraded::new(io, read)).await;
    }
    Ok(())
}

async fn finish<IO: Io, S: Service<IO>>(
    shared: &Shared<IO>,
    options: &Options,
    service: &S,
    end: End,
) -> Result<(), ServeError<IO>> {
    const UNFRAMEABLE: Refusal = Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "answer can't be framed",
        "RFC 9112 §6.3",
    );
    let (refusal, head_only) = match end {
        End::Close => {
            linger::close(shared).await;
            return Ok(());
        }
        End::Linger => {
            linger::linger(shared).await;
            return Ok(());
        }
        End::CutOff => return Err(ServeError::ClientGone),
        End::Http2 => {
            let taken = shared.inner.borrow_mut().take();
            return Err(match taken {
                Some((io, read)) => ServeError::Http2(Box::new(Upgraded::new(io, read))),
                None => ServeError::ClientGone,
            });
        }
        End::Refused(refusal) => (refusal, false),
        End::Unframeable(exchange) => (UNFRAMEABLE, exchange.asked.head_only),
    };
    let line = match refusal.status {
        StatusCode::INTERNAL_SERVER_ERROR => RequestLine::default(),
        _ => RequestLine::of(&shared.inner.borrow().read),
    };
    let (mut parts, body) = service.refused(refusal, line).into_parts();
    let body = Whole(body);
    let plan = respond::plan_refusal(&mut parts, &body, head_only);
    let mut answer = Answer::begin(shared, parts, body, plan, true, false);
    poll_fn(|cx| answer.poll(shared, options, cx)).await?;
    linger::linger(shared).await;
    Err(ServeError::Refused(refusal))
}
