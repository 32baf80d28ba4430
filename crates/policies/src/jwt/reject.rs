//! How tokens are refused. What is wrong with one is for the log alone.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::Rejection;

pub(super) const NAME: &str = "jwt";

/// Not the caller's fault: its token may be good.
pub(super) const NO_KEYS: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "keys_unavailable",
    "The token can't be checked at the moment.",
)
.with_retry_after(Duration::from_secs(5))
.with_cause("issuer_keys_unavailable");
