//! How requests are refused that there is no token for.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::Rejection;

use super::NAME;

/// The authorization server gives none for this caller.
pub(super) const REFUSED: Rejection = Rejection::new(
    NAME,
    StatusCode::FORBIDDEN,
    "token_exchange_refused",
    "The token gives no access to this service.",
);

/// Not the caller's fault.
pub(super) const UNAVAILABLE: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "token_exchange_unavailable",
    "The token can't be exchanged at the moment.",
)
.with_retry_after(Duration::from_secs(3));

/// Whether a code speaks of the caller's token and what is asked for it, and not of the gateway (RFC
/// 6749 §5.2, RFC 8693 §2.2.2).
pub(super) fn is_about_token(code: &str) -> bool {
    [
        "access_denied",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
    ]
    .contains(&code)
}
