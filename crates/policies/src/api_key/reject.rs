//! How keys are refused. What is wrong with one is for the log alone.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::Rejection;

use crate::challenge::quoted;

const NAME: &str = "api_key";

const INVALID: Rejection = Rejection::new(
    NAME,
    StatusCode::UNAUTHORIZED,
    "invalid_key",
    "The API key is not valid.",
);

/// Its hash can't be computed now.
pub(super) const BUSY: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "verification_busy",
    "Too many credentials are being verified.",
)
.with_retry_after(Duration::from_secs(1));

/// The challenge, made once.
#[derive(Debug)]
pub(super) struct Refusals {
    pub(super) missing: HeaderValue,
}

impl Refusals {
    /// For a scheme and a realm. `None` where the realm can't stand in a header field.
    pub(super) fn new(scheme: &str, realm: &str) -> Option<Self> {
        let missing = format!("{scheme} realm={}", quoted(realm)?);
        Some(Self {
            missing: HeaderValue::from_str(&missing).ok()?,
        })
    }

    /// The same answer whatever is wrong.
    pub(super) fn invalid(&self) -> Rejection {
        INVALID.with_header(header::WWW_AUTHENTICATE, self.missing.clone())
    }
}
