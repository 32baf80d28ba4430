//! How signatures are refused. What is wrong with one is for the log alone.

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::Rejection;

use crate::challenge::quoted;

const NAME: &str = "hmac";

const INVALID: Rejection = Rejection::new(
    NAME,
    StatusCode::UNAUTHORIZED,
    "invalid_signature",
    "The signature is not valid.",
);

/// There is more content than is held.
pub(super) const TOO_LARGE: Rejection = Rejection::new(
    NAME,
    StatusCode::PAYLOAD_TOO_LARGE,
    "signed_content_too_large",
    "The request's content is too large to be verified.",
);

/// The content broke off.
pub(super) const INCOMPLETE: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_REQUEST,
    "content_incomplete",
    "The request's content did not arrive.",
);

/// The content did not come in the time that the route has.
pub(super) const LATE: Rejection = Rejection::new(
    NAME,
    StatusCode::REQUEST_TIMEOUT,
    "signed_content_late",
    "The request's content did not arrive in time.",
);

/// The challenge, made once.
#[derive(Debug)]
pub(super) struct Refusals {
    pub(super) challenge: HeaderValue,
}

impl Refusals {
    /// For a scheme and a realm. `None` where the realm can't stand in a header field. RFC 9421 has no
    /// scheme of its own; RFC 9110 §15.5.2 wants a challenge all the same.
    pub(super) fn new(scheme: &str, realm: &str) -> Option<Self> {
        let text = format!("{scheme} realm={}", quoted(realm)?);
        let challenge = HeaderValue::from_str(&text).ok()?;
        Some(Self { challenge })
    }

    /// The same answer whatever is wrong.
    pub(super) fn invalid(&self) -> Rejection {
        INVALID.with_header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }
}
