//! How requests beyond a limit are refused.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::Rejection;

use super::limit::Limit;

/// What one caller may do at once: 429 (RFC 6585 §4).
const CALLER: Rejection = Rejection::new(
    "concurrency",
    StatusCode::TOO_MANY_REQUESTS,
    "concurrency_limited",
    "Too many requests at once.",
)
.with_retry_after(SOON);

/// What all callers together may do at once, which none of them is to blame for: 503 (RFC 9110
/// §15.6.4).
const ALL: Rejection = Rejection::new(
    "concurrency",
    StatusCode::SERVICE_UNAVAILABLE,
    "concurrency_limited",
    "Too many requests at once.",
)
.with_retry_after(SOON);

/// When a place is free can't be told; the least that `Retry-After` can say.
const SOON: Duration = Duration::from_secs(1);

impl Limit {
    /// There is no place, and nobody more may wait for one.
    pub(super) fn full(&self) -> Rejection {
        let rejection = if self.selector.is_for_all() {
            ALL
        } else {
            CALLER
        };
        let detail = format!(
            "Too many requests at once: the limit \"{}\" is reached.",
            self.name
        );
        rejection.with_detail(detail).with_violated(&*self.name)
    }

    /// It has waited in vain.
    pub(super) fn waited(&self) -> Rejection {
        Rejection {
            code: "concurrency_queue_timeout",
            ..self.full()
        }
    }
}
