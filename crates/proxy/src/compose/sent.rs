//! What the client sent, where a composition reads it: JSON, whole and checked once.

use bytes::Bytes;
use http::{StatusCode, header};
use http_body::Body as _;
use lintel_compose::value;
use lintel_http::{Body, BodyError, http1::Timer, media};
use lintel_kernel::Rejection;
use tokio::time::Instant;

use super::STEP;
use crate::{active::Active, grpc};

/// Where there is no body, or nobody reads it.
pub(super) const NOTHING: Bytes = Bytes::from_static(value::NULL);

const NOT_JSON: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_REQUEST,
    "invalid_request",
    "The body of the request is not JSON.",
);
const UNSUPPORTED: Rejection = Rejection::new(
    STEP,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "The body of the request is to be JSON.",
);
const LATE: Rejection = Rejection::new(
    STEP,
    StatusCode::REQUEST_TIMEOUT,
    "body_timeout",
    "The request body did not arrive in time.",
);

/// The client's body: `null` where there is none.
///
/// # Errors
/// It is no JSON, larger than `max` bytes, late, or breaks off.
pub(super) async fn read(
    active: &mut Active,
    mut body: Body,
    max: usize,
    (timer, deadline): (&Timer, Instant),
) -> Result<Bytes, Rejection> {
    if body.is_end_stream() {
        return Ok(NOTHING);
    }
    let media = active.exchange.request.headers.get(header::CONTENT_TYPE);
    let is_json = media.is_none_or(|media| {
        let essence = media::essence(media).unwrap_or_default();
        essence.ends_with("/json") || essence.ends_with("+json")
    });
    if !is_json {
        return Err(UNSUPPORTED);
    }
    body.narrow(max as u64);
    if body.is_over_limit() {
        return Err(grpc::broken(STEP, &BodyError::too_large()));
    }
    let body = body.metered(&active.bytes_in);
    let read = timer.timeout_at(deadline, grpc::whole(body)).await;
    let text = read
        .map_err(|_elapsed| LATE)?
        .map_err(|error| grpc::broken(STEP, &error))?;
    if text.trim_ascii().is_empty() {
        return Ok(NOTHING);
    }
    match value::check(&text) {
        Ok(()) => Ok(text),
        Err(error) => {
            Err(NOT_JSON.with_detail(format!("The body of the request is not JSON: {error}.")))
        }
    }
}
