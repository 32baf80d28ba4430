//! How requests are refused that are held back.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::Rejection;

use super::shed::Shedding;

/// The service does not answer well what this one caller sends: 429 (RFC 6585 §4).
const CALLER: Rejection = Rejection::new(
    "load_shed",
    StatusCode::TOO_MANY_REQUESTS,
    "load_shed",
    "The service can't keep up with your requests; try again later.",
);

/// It does not answer well, which no caller is to blame for: 503 (RFC 9110 §15.6.4).
const ALL: Rejection = Rejection::new(
    "load_shed",
    StatusCode::SERVICE_UNAVAILABLE,
    "load_shed",
    "The service can't keep up; try again later.",
);

impl Shedding {
    /// It is held back. After the window, what is known now is forgotten.
    pub(super) fn rejection(&self) -> Rejection {
        let rejection = if self.selector.is_for_all() {
            ALL
        } else {
            CALLER
        };
        rejection.with_retry_after(self.window.max(Duration::from_secs(1)))
    }
}
