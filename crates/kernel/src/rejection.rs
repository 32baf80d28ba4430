//! How a request is refused: what the client may know, and nothing more.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, StatusCode};

/// A gRPC status code (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the names are the specification's own
pub enum GrpcCode {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl GrpcCode {
    /// The code for an HTTP status, where a rejection does not name a better one: gRPC's
    /// "HTTP to gRPC Status Code Mapping", completed for the statuses a gateway gives.
    pub const fn from_status(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 431 | 414 | 417 => Self::InvalidArgument,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 405 | 501 => Self::Unimplemented,
            408 | 504 => Self::DeadlineExceeded,
            409 => Self::Aborted,
            412 => Self::FailedPrecondition,
            413 | 429 => Self::ResourceExhausted,
            499 => Self::Cancelled,
            500 => Self::Internal,
            502 | 503 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

/// A refusal in the words a client may see. Internal causes are logged, never put here.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// HTTP status.
    pub status: StatusCode,
    /// gRPC status for gRPC callers.
    pub grpc: GrpcCode,
    /// Stable machine-readable code, in snake_case; clients may depend on it.
    pub code: &'static str,
    /// One sentence for the person who reads the answer. Never holds an address or a cause.
    pub detail: Cow<'static, str>,
    /// `Retry-After`, where the client should come back.
    pub retry_after: Option<Duration>,
    /// Further header fields, such as `Allow` or `WWW-Authenticate`.
    pub headers: Option<Box<HeaderMap>>,
    /// The limit that is used up, by its name: `violated-policies` in problem details
    /// (draft-ietf-httpapi-ratelimit-headers).
    pub violated: Option<Box<str>>,
    /// Why in truth, as a stable word for the log; never sent. For refusals that must look alike
    /// from outside, such as an unknown and an expired key.
    pub cause: Option<&'static str>,
    /// Which policy or step refused; a label of `rejections_total`, never sent.
    pub by: &'static str,
}

impl Rejection {
    /// A refusal by the given step, with the gRPC code that corresponds to the status.
    pub const fn new(
        by: &'static str,
        status: StatusCode,
        code: &'static str,
        detail: &'static str,
    ) -> Self {
        Self {
            status,
            grpc: GrpcCode::from_status(status),
            code,
            detail: Cow::Borrowed(detail),
            retry_after: None,
            headers: None,
            violated: None,
            cause: None,
            by,
        }
    }

    /// With the true cause, for the log.
    pub const fn with_cause(mut self, cause: &'static str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// With another gRPC code than the one its status maps to.
    pub const fn with_grpc(mut self, grpc: GrpcCode) -> Self {
        self.grpc = grpc;
        self
    }

    /// With a time to come back after.
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// With the name of the limit that is used up.
    pub fn with_violated(mut self, limit: impl Into<Box<str>>) -> Self {
        self.violated = Some(limit.into());
        self
    }

    /// With a detail made for this request. Must stay fit for the client's eyes.
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// With one more header field.
    pub fn with_header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.headers.get_or_insert_default().append(name, value);
        self
    }
}
