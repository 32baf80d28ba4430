//! How names and passwords are refused. What is wrong with them is for the log alone.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::Rejection;

use crate::challenge::quoted;

const NAME: &str = "basic_auth";

const INVALID: Rejection = Rejection::new(
    NAME,
    StatusCode::UNAUTHORIZED,
    "invalid_credentials",
    "Name or password is wrong.",
);

/// The hash can't be computed now.
pub(super) const BUSY: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "verification_busy",
    "Too many credentials are being verified.",
)
.with_retry_after(Duration::from_secs(1));

/// The challenge, made once.
#[derive(Debug)]
pub(super) struct Challenge(pub(super) HeaderValue);

impl Challenge {
    /// For a realm (RFC 7617 §2), with the one charset that there is (§2.1). `None` where the realm
    /// can't stand in a header field.
    pub(super) fn new(realm: &str) -> Option<Self> {
        let text = format!("Basic realm={}, charset=\"UTF-8\"", quoted(realm)?);
        HeaderValue::from_str(&text).ok().map(Self)
    }

    /// The same answer whatever is wrong.
    pub(super) fn invalid(&self) -> Rejection {
        INVALID.with_header(header::WWW_AUTHENTICATE, self.0.clone())
    }
}
