//! One request and its answer.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Version, header};
use http_body::Body;
use tokio::time::Instant;

use super::connection::Conn;
use super::incoming::{Incoming, Streaming};
use super::pump::{Pump, PumpError, Way};
use super::{Failure, Recycle, SendError, SendOptions, Sent};
use crate::buffer;
use crate::chunk::Chunked;
use crate::error::Violation;
use crate::head::{
    HeadLimits, Outgoing, ResponseFlaw, ResponseHead, Scan, encode_fields, encode_request_line,
    parse_response,
};
use crate::io::Io;
use crate::receive::{Framing, Receiver, poll_read};
use crate::send_body::{Coding, declared_length};
use crate::upgraded::Upgraded;

impl<IO: Io + 'static> Conn<IO> {
    /// Sends a request and waits for its final answer.
    ///
    /// Head and first body bytes go out in one write. The rest of the body is sent while the answer is awaited; an answer that comes
    /// before the body is sent whole is returned at once, and its [`Incoming`] goes on sending. `Content-Length` follows from the
    /// body's exact size or, if that is unknown, from the field of that name; otherwise the body is chunked. The target is written
    /// in origin-form from `head.uri`; `Host` is the field of that name or the authority of the URI. `interim` is called for every
    /// interim response other than 100 and 101.
    ///
    /// # Errors
    ///
    /// [`SendError`] tells whether the request may be sent again. The connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn send<B>(
        mut self,
        head: &Parts,
        body: B,
        options: SendOptions<'_>,
        mut interim: impl FnMut(StatusCode, HeaderMap),
        recycle: Rc<dyn Recycle<IO>>,
    ) -> Result<Sent<IO>, SendError<B, B::Error>>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        let Some(coding) = coding(head, &body) else {
            return Err(SendError {
                failure: Failure::RequestLength,
                untouched_body: Some(body),
                response_started: false,
            });
        };
        let pump = Pump::new(body, coding);
        let expect = options
            .expect_continue
            .filter(|_| pump.has_body() && coding != Coding::Length(0));
        let link = self.link();
        link.requests += 1;
        encode_head(link.out.buffer(), head, coding, expect.is_some(), options);
        let mut exchange = Exchange {
            conn: self,
            pump,
            options,
            scan: Scan::default(),
            held_until: expect.map(|patience| Instant::now() + patience),
            sent: false,
            write_error: None,
            interims: 0,
            started: false,
        };
        match poll_fn(|cx| exchange.poll(&mut interim, cx)).await {
            Ok(answer) => exchange.conclude(answer, &head.method, recycle),
            Err(failure) => Err(exchange.fail(failure)),
        }
    }
}

/// Framing of a request (RFC 9112 §6.3, RFC 9110 §8.6). `None`: the head's own declaration is malformed or not true.
fn coding<B: Body>(head: &Parts, body: &B) -> Option<Coding> {
    let declared = declared_length(&head.headers).ok()?;
    let exact = if body.is_end_stream() {
        Some(0)
    } else {
        body.size_hint().exact()
    };
    match (exact, declared) {
        (Some(exact), Some(declared)) if exact != declared => None,
        (Some(0), _) if !matches!(head.method, Method::POST | Method::PUT | Method::PATCH) => {
            Some(Coding::None)
        }
        (Some(length), _) | (None, Some(length)) => Some(Coding::Length(length)),
        (None, None) => Some(Coding::Chunked),
    }
}

fn encode_head(
    out: &mut Vec<u8>,
    head: &Parts,
    coding: Coding,
    expect: bool,
    options: SendOptions<'_>,
) {
    encode_request_line(out, &head.method, &head.uri, &head.headers);
    let facts = Outgoing {
        connection: match (options.upgrade.is_some(), options.te_trailers) {
            (true, true) => Some("upgrade, te"),
            (true, false) => Some("upgrade"),
            (false, true) => Some("te"),
            (false, false) => None,
        },
        upgrade: options.upgrade,
        length: if let Coding::Length(length) = coding {
            Some(length)
        } else {
            None
        },
        chunked: coding == Coding::Chunked,
        te_trailers: options.te_trailers,
        expect,
        skip_host: true,
    };
    encode_fields(out, &head.headers, facts);
}

struct Exchange<'a, IO, B> {
    conn: Conn<IO>,
    pump: Pump<B>,
    options: SendOptions<'a>,
    scan: Scan,
    /// The body waits for `100 Continue` until then.
    held_until: Option<Instant>,
    /// The whole request is written.
    sent: bool,
    /// The upstream takes no more; it may have answered before it stopped.
    write_error: Option<io::Error>,
    interims: u32,
    started: bool,
}

impl<IO: Io + 'static, B: Body<Data = Bytes> + Unpin + 'static> Exchange<'_, IO, B> {
    fn poll(
        &mut self,
        interim: &mut impl FnMut(StatusCode, HeaderMap),
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, Failure<B::Error>>> {
        loop {
            self.poll_request(cx)?;
            let head = ready!(self.poll_head(cx))?;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Ok(head));
            }
            self.interims += 1;
            if self.interims > self.options.options.max_interim {
                return Poll::Ready(Err(bad_head(
                    "too many interim responses",
                    "RFC 9110 §15.2",
                )));
            }
            if head.status == StatusCode::CONTINUE {
                self.held_until = None;
            } else {
                interim(head.status, head.fields.headers);
            }
        }
    }

    fn poll_request(&mut self, cx: &mut Context<'_>) -> Result<(), Failure<B::Error>> {
        if self.sent || self.write_error.is_some() {
            return Ok(());
        }
        if let Some(deadline) = self.held_until
            && self.options.timer.poll_deadline(cx, deadline).is_ready()
        {
            self.held_until = None;
        }
        let link = self.conn.link();
        let mut way = Way {
            io: &mut link.io,
            out: &mut link.out,
            timer: self.options.timer,
            write_timeout: self.options.options.write_timeout,
        };
        if self.held_until.is_some() {
            if let Poll::Ready(Err(error)) = way.poll_flush(cx) {
                self.write_error = Some(error);
            }
            return Ok(());
        }
        match self.pump.poll(way, cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.sent = true,
            Poll::Ready(Err(PumpError::Body(error))) => return Err(Failure::RequestBody(error)),
            Poll::Ready(Err(PumpError::Length)) => return Err(Failure::RequestLength),
            Poll::Ready(Err(PumpError::Write(error)))
                if error.kind() == io::ErrorKind::TimedOut =>
            {
                return Err(Failure::WriteTimeout);
            }
            Poll::Ready(Err(PumpError::Write(error))) => self.write_error = Some(error),
        }
        Ok(())
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Failure<B::Error>>> {
        let options = self.options.options;
        let limits = HeadLimits {
            bytes: options.max_header_bytes,
            fields: options.max_headers,
            target: 0,
        };
        let link = self.conn.link();
        loop {
            if link.read.is_empty() {
                link.release();
                if ready!(link.io.poll_readable(cx)).is_err() && self.write_error.is_some() {
                    return Poll::Ready(Err(Failure::Closed));
                }
            } else {
                self.started = true;
                match parse_response(&mut link.read, &mut self.scan, &limits) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(ResponseFlaw::Bad(violation)) => {
                        return Poll::Ready(Err(Failure::BadHead(violation)));
                    }
                    Err(ResponseFlaw::TooLarge) => return Poll::Ready(Err(Failure::HeadTooLarge)),
                }
            }
            if link.read.capacity() == 0 {
                link.read = buffer::take_read();
            } else if link.read.capacity() == link.read.len() {
                link.read.reserve(link.read.len());
            }
            match ready!(poll_read(&mut link.io, &mut link.read, cx)) {
                Ok(1..) => {}
                Ok(0) if link.read.is_empty() => return Poll::Ready(Err(Failure::Closed)),
                Ok(_) => return Poll::Ready(Err(Failure::CutOff)),
                Err(error) => return Poll::Ready(Err(Failure::Read(error))),
            }
        }
    }

    fn fail(self, failure: Failure<B::Error>) -> SendError<B, B::Error> {
        let failure = match (failure, self.write_error) {
            // The write failed first, and there was no answer behind it.
            (Failure::Closed | Failure::Read(_), Some(error)) => Failure::Write(error),
            (failure, _) => failure,
        };
        SendError {
            failure,
            untouched_body: (!self.pump.touched).then_some(self.pump.body),
            response_started: self.started,
        }
    }

    /// From the final head to the answer: framing of the body (RFC 9112 §6.3), upgrades, and where the connection goes.
    fn conclude(
        mut self,
        mut head: ResponseHead,
        method: &Method,
        recycle: Rc<dyn Recycle<IO>>,
    ) -> Result<Sent<IO>, SendError<B, B::Error>> {
        let received_at = Instant::now();
        let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if switched || (*method == Method::CONNECT && head.status.is_success()) {
            return self.switch(head, received_at);
        }
        let framing = framing(&mut head, method);
        let persistent = head.keep_alive()
            && !matches!(framing, Framing::UntilClose)
            && self.write_error.is_none()
            // A body that was held back and not asked for is not sent any more.
            && self.held_until.is_none();
        let link = self.conn.link();
        link.keep_alive_timeout = head.fields.keep_alive_timeout;
        let receiver = Receiver::new(framing, self.options.options.body_idle_timeout);
        let body = match receiver.left() {
            Some(left) if left <= link.read.len() as u64 => {
                let body = link
                    .read
                    .split_to(usize::try_from(left).unwrap_or_default())
                    .freeze();
                // Bytes after the message are nobody's answer: the connection is closed (RFC 9112 §9.2).
                if persistent && self.sent && link.read.is_empty() {
                    link.release();
                    link.idle_since = received_at;
                    recycle.recycle(self.conn);
                }
                Incoming::whole(body)
            }
            _ => Incoming::streaming(Streaming {
                rest: (!self.sent && self.write_error.is_none() && self.held_until.is_none())
                    .then(|| Box::new(self.pump) as _),
                conn: self.conn,
                receiver,
                persistent,
                recycle,
                timer: self.options.timer.clone(),
                write_timeout: self.options.options.write_timeout,
            }),
        };
        Ok(Sent {
            response: response(head, body),
            upgraded: None,
            received_at,
        })
    }

    fn switch(
        self,
        head: ResponseHead,
        received_at: Instant,
    ) -> Result<Sent<IO>, SendError<B, B::Error>> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS
            && let Err(failure) = self.check_switch(&head)
        {
            return Err(self.fail(failure));
        }
        let link = self.conn.into_link();
        let upgraded = Some(Upgraded::new(link.io, link.read.freeze()));
        let response = response(head, Incoming::whole(Bytes::new()));
        Ok(Sent {
            response,
            upgraded,
            received_at,
        })
    }

    /// A 101 must have been asked for, after the whole request, and name the protocol (RFC 9110 §7.8, §15.2.2).
    fn check_switch(&self, head: &ResponseHead) -> Result<(), Failure<B::Error>> {
        if self.options.upgrade.is_none() {
            return Err(Failure::UnaskedUpgrade);
        }
        if !self.sent {
            return Err(bad_head(
                "101 before the request was complete",
                "RFC 9110 §7.8",
            ));
        }
        if head.fields.upgrade.is_none() || !head.fields.connection.upgrade {
            return Err(bad_head("101 without Upgrade", "RFC 9110 §15.2.2"));
        }
        Ok(())
    }
}

fn framing(head: &mut ResponseHead, method: &Method) -> Framing {
    if *method == Method::HEAD
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
    {
        Framing::Done
    } else if head.is_chunked() {
        Framing::Chunked(Chunked::new(head.fields.connection.take_listed()))
    } else {
        head.fields
            .content_length
            .map_or(Framing::UntilClose, Framing::length)
    }
}

fn response<IO>(head: ResponseHead, body: Incoming<IO>) -> Response<Incoming<IO>> {
    let mut headers = head.fields.headers;
    // Of the hop's own fields only this one is also a statement to the other end, and only here (RFC 9110 §15.2.2, §15.5.22).
    if matches!(
        head.status,
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED
    ) && let Some(protocol) = head.fields.upgrade
    {
        headers.insert(header::UPGRADE, protocol);
    }
    if head.status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    }
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.version_mut() = if head.version_1_0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    *response.headers_mut() = headers;
    response
}

fn bad_head<E>(reason: &'static str, section: &'static str) -> Failure<E> {
    Failure::BadHead(Violation { reason, section })
}
