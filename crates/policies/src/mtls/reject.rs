//! How certificates are refused. What is wrong with one is for the log alone.

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::Rejection;

use crate::challenge::quoted;

const INVALID: Rejection = Rejection::new(
    "mtls",
    StatusCode::UNAUTHORIZED,
    "invalid_certificate",
    "The certificate is not one of a known caller.",
);

/// The challenge, made once.
#[derive(Debug)]
pub(super) struct Refusals {
    pub(super) challenge: HeaderValue,
}

impl Refusals {
    /// For a realm. There is no registered scheme for certificates; RFC 9110 §15.5.2 wants a
    /// challenge all the same. `None` where the realm can't stand in a header field.
    pub(super) fn new(realm: &str) -> Option<Self> {
        let text = format!("ClientCertificate realm={}", quoted(realm)?);
        let challenge = HeaderValue::from_str(&text).ok()?;
        Some(Self { challenge })
    }

    /// The same answer whatever is wrong.
    pub(super) fn unknown(&self) -> Rejection {
        INVALID.with_header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }

    pub(super) fn invalid(&self, cause: &'static str) -> Rejection {
        self.unknown().with_cause(cause)
    }
}
