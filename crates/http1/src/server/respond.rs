//! Writing one answer.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{StatusCode, header, response};
use http_body::{Body, Frame, SizeHint};

use super::connection::Shared;
use super::{Options, ServeError};
use crate::buffer;
use crate::head::{Outgoing, encode_fields, encode_status_line};
use crate::io::Io;
use crate::outbox::Outbox;
use crate::send_body::{Coding, EncodeError, Encoder, Fill, declared_length};

/// What of a request decides how its answer is framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) head_only: bool,
    pub(super) connect: bool,
    pub(super) version_1_0: bool,
}

/// How an answer will be framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    coding: Coding,
    /// `Content-Length` to write; also where no body follows (HEAD, 304).
    length: Option<u64>,
    switch: bool,
}

/// The answer can't be framed: an interim status, a bad or contradicting `Content-Length`, a 101 that nobody asked for.
#[derive(Debug)]
pub(super) struct Unframeable;

/// Decides the framing of an answer (RFC 9112 §6.3, RFC 9110 §8.6, §15).
pub(super) fn plan<B: Body>(
    parts: &response::Parts,
    body: &B,
    tunnel: bool,
    asked: Asked,
) -> Result<Plan, Unframeable> {
    let declared = declared_length(&parts.headers).map_err(|()| Unframeable)?;
    let status = parts.status;
    let connected = asked.connect && status.is_success();
    if tunnel != (status == StatusCode::SWITCHING_PROTOCOLS || connected) {
        return Err(Unframeable);
    }
    if tunnel || status == StatusCode::NO_CONTENT {
        return Ok(Plan {
            coding: Coding::None,
            length: None,
            switch: status != StatusCode::NO_CONTENT && !connected,
        });
    }
    if status.is_informational() {
        return Err(Unframeable);
    }
    if asked.head_only || status == StatusCode::NOT_MODIFIED {
        return Ok(Plan {
            coding: Coding::None,
            length: declared,
            switch: false,
        });
    }
    let coding = match (body.size_hint().exact(), declared) {
        (Some(exact), Some(declared)) if exact != declared => return Err(Unframeable),
        (Some(length), _) | (None, Some(length)) => Coding::Length(length),
        (None, None) if asked.version_1_0 => Coding::UntilClose,
        (None, None) => Coding::Chunked,
    };
    let length = if let Coding::Length(length) = coding {
        Some(length)
    } else {
        None
    };
    Ok(Plan {
        coding,
        length,
        switch: false,
    })
}

impl Plan {
    /// Whether only the end of the connection ends this answer.
    pub(super) fn needs_close(self) -> bool {
        self.coding == Coding::UntilClose
    }
}

/// An answer on its way: the head is in the outbox, the body follows.
pub(super) struct Answer<B> {
    body: B,
    encoder: Encoder,
    out: Outbox,
}

impl<B> Answer<B>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    /// Writes the head behind the interim responses that are still to go. `close` says so in the head.
    pub(super) fn begin<IO: Io>(
        shared: &Shared<IO>,
        parts: response::Parts,
        body: B,
        plan: Plan,
        close: bool,
        version_1_0: bool,
    ) -> Self {
        let mut out = {
            let mut inner = shared.inner.borrow_mut();
            inner.interim_allowed = false;
            std::mem::take(&mut inner.interim)
        };
        encode_head(&mut out, &parts, plan, close, version_1_0);
        buffer::recycle_headers(parts.headers);
        Self {
            body,
            encoder: Encoder::new(plan.coding),
            out,
        }
    }

    /// Ready once everything is written.
    pub(super) fn poll<IO: Io>(
        &mut self,
        shared: &Shared<IO>,
        options: &Options,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ServeError<IO>>> {
        poll_send(
            shared,
            options,
            &mut self.encoder,
            Pin::new(&mut self.body),
            &mut self.out,
            cx,
        )
    }
}

fn encode_head(
    out: &mut Outbox,
    parts: &response::Parts,
    plan: Plan,
    close: bool,
    version_1_0: bool,
) {
    // 426 names the protocols to switch to, as 101 does (RFC 9110 §15.5.22).
    let names_upgrade = plan.switch || parts.status == StatusCode::UPGRADE_REQUIRED;
    let upgrade = names_upgrade
        .then(|| parts.headers.get(header::UPGRADE))
        .flatten();
    let facts = Outgoing {
        connection: match (close, upgrade) {
            (true, Some(_)) => Some("close, upgrade"),
            (true, None) => Some("close"),
            (false, Some(_)) => Some("upgrade"),
            (false, None) => version_1_0.then_some("keep-alive"),
        },
        upgrade,
        length: plan.length,
        chunked: plan.coding == Coding::Chunked,
        ..Outgoing::default()
    };
    let buffer = out.buffer();
    encode_status_line(buffer, parts.status);
    encode_fields(buffer, &parts.headers, facts);
}

fn poll_send<IO: Io, B>(
    shared: &Shared<IO>,
    options: &Options,
    encoder: &mut Encoder,
    mut body: Pin<&mut B>,
    out: &mut Outbox,
    cx: &mut Context<'_>,
) -> Poll<Result<(), ServeError<IO>>>
where
    B: Body<Data = Bytes, Error: fmt::Display>,
{
    let vectored = match shared.inner.borrow().io.as_ref() {
        Some(io) => io.is_write_vectored(),
        None => return Poll::Ready(Err(ServeError::ClientGone)),
    };
    loop {
        // The body may be fed by the request body of this very connection, so nothing is borrowed while it is polled.
        let fill = encoder.fill(body.as_mut(), out, vectored, &mut false, cx);
        let failed = fill
            .as_ref()
            .err()
            .is_some_and(|error| matches!(error, EncodeError::Body(_)));
        let mut inner = shared.inner.borrow_mut();
        let Some(io) = inner.io.as_mut() else {
            return Poll::Ready(Err(ServeError::ClientGone));
        };
        if failed || fill.is_ok() {
            let flushed = out.poll_flush_within(io, &shared.timer, options.write_timeout, cx);
            if fill.is_ok() {
                ready!(flushed).map_err(ServeError::writing)?;
            }
        }
        match fill {
            Ok(Fill::Ended) => return Poll::Ready(Ok(())),
            Ok(Fill::Full) => {}
            Ok(Fill::Waiting) => {
                drop(inner);
                return match shared.watch(options, cx) {
                    Ok(()) => Poll::Pending,
                    Err(gone) => Poll::Ready(Err(gone)),
                };
            }
            Err(error) => {
                // The client must not take what it has for the whole (RFC 9112 §8).
                io.reset_on_drop();
                return Poll::Ready(Err(match error {
                    EncodeError::Body(error) => ServeError::ReplyBody(error.to_string()),
                    EncodeError::TooLong | EncodeError::TooShort => ServeError::ReplyLength,
                }));
            }
        }
    }
}

/// A body that is one buffer.
pub(super) struct Whole(pub(super) Bytes);

impl Body for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = std::mem::take(&mut self.0);
        Poll::Ready(if data.is_empty() {
            None
        } else {
            Some(Ok(Frame::data(data)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// The framing of a refusal, which is the codec's own answer and always has a body that fits its head.
pub(super) fn plan_refusal(parts: &mut response::Parts, body: &Whole, head_only: bool) -> Plan {
    parts.headers.remove(header::CONTENT_LENGTH);
    if parts.status.is_informational() || parts.status == StatusCode::NO_CONTENT {
        parts.status = StatusCode::BAD_REQUEST;
    }
    let length = body.0.len() as u64;
    let coding = if head_only {
        Coding::None
    } else {
        Coding::Length(length)
    };
    Plan {
        coding,
        length: Some(length),
        switch: false,
    }
}
