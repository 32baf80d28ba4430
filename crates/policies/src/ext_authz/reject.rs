//! How requests are refused.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::{GrpcCode, Rejection};

pub(super) const NAME: &str = "ext_authz";

/// The request needs a body that can be judged as a whole.
pub(super) const BODY_TOO_LARGE: Rejection = Rejection::new(
    NAME,
    StatusCode::PAYLOAD_TOO_LARGE,
    "body_too_large",
    "The request body is larger than can be checked.",
);

/// Nobody said whether the request may pass.
pub(super) fn unavailable(status: StatusCode) -> Rejection {
    let refusal = Rejection::new(
        NAME,
        status,
        "authorization_unavailable",
        "Whether the request is allowed can't be found out at the moment.",
    )
    // Whatever the status: it is no judgement of the caller.
    .with_grpc(GrpcCode::Unavailable);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        refusal.with_retry_after(Duration::from_secs(1))
    } else {
        refusal
    }
}

/// The body of the request could not be read.
pub(super) const fn unreadable(status: StatusCode) -> Rejection {
    Rejection::new(
        NAME,
        status,
        "request_body_failed",
        "The request could not be read to its end.",
    )
}
