//! How requests beyond a quota are refused.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::Rejection;

const USED_UP: Rejection = Rejection::new(
    "quota",
    StatusCode::TOO_MANY_REQUESTS,
    "quota_exceeded",
    "The quota is used up.",
);

/// `on_store_failure: deny`.
pub(super) const STORE_AWAY: Rejection = Rejection::new(
    "quota",
    StatusCode::SERVICE_UNAVAILABLE,
    "quota_store_unavailable",
    "The request can't be admitted now.",
)
.with_retry_after(Duration::from_secs(1));

/// `left` is in seconds, until there is a new one.
pub(super) fn used_up(name: &str, left: u32) -> Rejection {
    USED_UP
        .with_detail(format!("The quota \"{name}\" is used up."))
        .with_retry_after(Duration::from_secs(left.into()))
        .with_violated(name)
}
