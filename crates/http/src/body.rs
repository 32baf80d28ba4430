//! The one body type of the data path.

use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use lintel_http1 as http1;
use lintel_kernel::{Facts, Kind as FailureKind, Side};
use lintel_tls::Stream;

use crate::{ClientStream, h2};

/// A message body, whichever side and protocol it comes from.
///
/// Streams with backpressure: nothing is read until it is polled. Data frames are slices of the
/// buffer they arrived in. Belongs to one worker.
pub struct Body {
    kind: Kind,
    /// Data bytes that may still pass before the body is refused.
    allowance: u64,
    /// Counts the data bytes that have passed, for whoever holds the other end.
    meter: Option<Rc<Cell<u64>>>,
    /// Ends with the body, and after what it reads from.
    lease: Option<Lease>,
}

/// Something that counts as in use until this is dropped: a request on its way to an endpoint.
pub struct Lease {
    owner: Rc<dyn Release>,
    /// Nothing more is to be told of how the body went.
    silent: bool,
}

/// What a [`Lease`] is given back to.
pub trait Release {
    /// One use is over.
    fn release(&self);

    /// The body that held the lease came to its end as it should.
    fn whole(&self) {}

    /// The body that held the lease failed on the upstream's side.
    fn broke_off(&self) {}
}

enum Kind {
    Empty,
    Full(Bytes),
    Http1Request(http1::server::Incoming<ClientStream>),
    Http1Response(http1::client::Incoming<Stream>),
    Http2(Box<h2::Incoming>),
    Boxed(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>),
}

/// Why a body ended before its end.
#[derive(Debug)]
pub struct BodyError {
    /// What kind of failure, and whose.
    pub facts: Facts,
    /// For the log, never for the client.
    pub cause: String,
}

impl Body {
    /// No body at all.
    pub const fn empty() -> Self {
        Self::from_kind(Kind::Empty)
    }

    /// A body made of another implementation.
    pub fn boxed(body: impl HttpBody<Data = Bytes, Error = BodyError> + 'static) -> Self {
        Self::from_kind(Kind::Boxed(Box::pin(body)))
    }

    const fn from_kind(kind: Kind) -> Self {
        Self {
            kind,
            allowance: u64::MAX,
            meter: None,
            lease: None,
        }
    }

    /// Holds a lease until the body is dropped.
    #[must_use]
    pub fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Refuses the body once more than `limit` bytes of data have passed.
    pub const fn limit(&mut self, limit: u64) {
        self.allowance = limit;
    }

    /// The same, unless less is allowed already.
    pub const fn narrow(&mut self, limit: u64) {
        if limit < self.allowance {
            self.allowance = limit;
        }
    }

    /// Counts the data bytes that pass into `meter`.
    #[must_use]
    pub fn metered(mut self, meter: &Rc<Cell<u64>>) -> Self {
        self.meter = Some(Rc::clone(meter));
        self
    }

    /// Whether the body is known to be over its limit before a byte of it was read.
    pub fn is_over_limit(&self) -> bool {
        self.size_hint().lower() > self.allowance
    }

    /// Tells the owner of the lease, once, how the body went. One that is given up has said nothing.
    fn tell(&mut self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        if self.lease.as_ref().is_none_or(|lease| lease.silent) {
            return;
        }
        let whole = match polled {
            Poll::Pending => return,
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) if self.is_end_stream() => true,
            Poll::Ready(Some(Ok(_))) => return,
            Poll::Ready(Some(Err(error))) if error.facts.side == Side::Upstream => false,
            Poll::Ready(Some(Err(_))) => return,
        };
        if let Some(lease) = &mut self.lease {
            lease.silent = true;
            match whole {
                true => lease.owner.whole(),
                false => lease.owner.broke_off(),
            }
        }
    }

    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Http1Request(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| BodyError::http1(&error, Side::Client)),
            Kind::Http1Response(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|error| BodyError::http1(&error, Side::Upstream)),
            Kind::Http2(body) => Pin::new(&mut **body).poll_frame(cx),
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.poll_kind(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.allowance.checked_sub(data.len() as u64) {
                Some(left) => {
                    self.allowance = left;
                    if let Some(meter) = &self.meter {
                        meter.set(meter.get() + data.len() as u64);
                    }
                }
                None => {
                    self.kind = Kind::Empty;
                    return Poll::Ready(Some(Err(BodyError::too_large())));
                }
            }
        }
        self.tell(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Http1Request(body) => body.is_end_stream(),
            Kind::Http1Response(body) => body.is_end_stream(),
            Kind::Http2(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Http1Request(body) => body.size_hint(),
            Kind::Http1Response(body) => body.size_hint(),
            Kind::Http2(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl h2::Advance for Body {
    fn advance(&mut self, cx: &mut Context<'_>) {
        if let Kind::Http2(body) = &mut self.kind {
            body.advance(cx);
        }
    }
}

impl BodyError {
    /// A failure of this kind, on this side; the cause is for the log.
    pub fn new(kind: FailureKind, side: Side, cause: impl Into<String>) -> Self {
        Self {
            facts: Facts::new(kind, side),
            cause: cause.into(),
        }
    }

    /// More data than the limit of the configuration allows.
    pub fn too_large() -> Self {
        let cause = "the request body is larger than the limit";
        Self::new(FailureKind::Limit, Side::Client, cause)
    }

    /// No data for longer than allowed.
    pub fn timeout(side: Side) -> Self {
        Self::new(
            FailureKind::Timeout,
            side,
            "no data within the idle timeout",
        )
    }

    fn http1(error: &http1::BodyError, side: Side) -> Self {
        let kind = match error {
            http1::BodyError::TooLarge => return Self::too_large(),
            http1::BodyError::Timeout => FailureKind::Timeout,
            http1::BodyError::Malformed(_) => FailureKind::Protocol,
            _ => FailureKind::Reset,
        };
        Self::new(kind, side, error.to_string())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for BodyError {}

impl Lease {
    /// A use that `owner` has counted.
    pub fn new(owner: Rc<impl Release + 'static>) -> Self {
        Self {
            owner,
            silent: false,
        }
    }

    /// Tells its owner nothing of how the body goes: somebody else does.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.owner.release();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            Kind::Http1Request(_) => "http1 request",
            Kind::Http1Response(_) => "http1 response",
            Kind::Http2(_) => "http2",
            Kind::Boxed(_) => "boxed",
        };
        f.debug_struct("Body").field("kind", &kind).finish()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::from_kind(Kind::Full(bytes))
    }
}

impl From<http1::server::Incoming<ClientStream>> for Body {
    fn from(body: http1::server::Incoming<ClientStream>) -> Self {
        Self::from_kind(Kind::Http1Request(body))
    }
}

impl From<http1::client::Incoming<Stream>> for Body {
    fn from(body: http1::client::Incoming<Stream>) -> Self {
        Self::from_kind(Kind::Http1Response(body))
    }
}

impl From<h2::Incoming> for Body {
    fn from(body: h2::Incoming) -> Self {
        Self::from_kind(Kind::Http2(Box::new(body)))
    }
}
