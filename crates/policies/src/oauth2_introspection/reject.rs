//! How requests are refused whose token nobody could judge.

use std::time::Duration;

use http::StatusCode;
use lintel_kernel::{Exchange, Rejection};
use lintel_telemetry::log::OncePer;

use super::NAME;
use crate::Unanswered;

/// Not the caller's fault: its token may be good.
const UNAVAILABLE: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "introspection_unavailable",
    "The token can't be checked at the moment.",
)
.with_retry_after(Duration::from_secs(1));

/// Tells the operator why, and the caller that it is not its fault.
pub(super) fn unanswered(exchange: &mut Exchange, service: &str, why: &Unanswered) -> Rejection {
    static SILENT: OncePer = OncePer::new(Duration::from_secs(10));
    if let Some(suppressed) = SILENT.pass() {
        tracing::warn!(
            service,
            route = exchange.route_name(),
            request_id = exchange.id.as_str(),
            code = why.code,
            cause = why.cause,
            suppressed,
            "the introspection endpoint gave no answer of use"
        );
    }
    exchange.cause = Some(format!("{service}: {}: {}", why.code, why.cause).into());
    UNAVAILABLE
}
