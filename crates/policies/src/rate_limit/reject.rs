//! How requests beyond a limit are refused.

use http::StatusCode;
use lintel_kernel::Rejection;

use super::decide::Exceeded;

const RATE_LIMITED: Rejection = Rejection::new(
    "rate_limit",
    StatusCode::TOO_MANY_REQUESTS,
    "rate_limited",
    "Too many requests.",
);

const TOO_EXPENSIVE: Rejection = Rejection::new(
    "rate_limit",
    StatusCode::TOO_MANY_REQUESTS,
    "rate_limit_too_expensive",
    "The request costs more than its limit ever allows at once.",
);

/// `on_store_failure: deny`.
pub(super) const STORE_AWAY: Rejection = Rejection::new(
    "rate_limit",
    StatusCode::SERVICE_UNAVAILABLE,
    "rate_limit_store_unavailable",
    "The request can't be admitted now.",
)
.with_retry_after(std::time::Duration::from_secs(1));

impl Exceeded<'_> {
    pub(super) fn rejection(&self) -> Rejection {
        let rejection = match self.refused.after {
            Some(after) => {
                let detail = format!(
                    "Too many requests: the limit \"{}\" is used up.",
                    self.limit.name
                );
                RATE_LIMITED.with_detail(detail).with_retry_after(after)
            }
            None => TOO_EXPENSIVE,
        };
        rejection.with_violated(&*self.limit.name)
    }
}
