//! The status of a call that failed, as problem details.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use lintel_grpc::{
    Transcoder,
    status::{self, Status},
};
use lintel_http::Body;
use lintel_kernel::{GrpcCode, Rejection};

use super::STEP;
use crate::{active::Active, refuse};

/// The service's answer is not one of gRPC.
const INVALID: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_GATEWAY,
    "invalid_answer",
    "The service gave an invalid answer.",
);

/// The answer to a call that failed: what the service says of it, and its details as JSON.
pub(super) fn response(
    active: &mut Active,
    transcoder: &Transcoder,
    status: &Status,
) -> Response<Body> {
    let cause = format!("the call ended with {}", status::name(status.code));
    active.exchange.cause = Some(cause.into_boxed_str());
    let body = details(active, transcoder, status);
    let http = status::http_status(status.code);
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = http;
    let headers = response.headers_mut();
    let media = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Problem details with two members more: `grpc_status`, the number of the code, and `details`,
/// those of `google.rpc.Status`.
pub(super) fn details(active: &Active, transcoder: &Transcoder, status: &Status) -> Vec<u8> {
    let http = status::http_status(status.code);
    let id = active.exchange.id.as_str();
    let problem = refuse::problem(http, status::name(status.code), &status.message, id);
    extended(problem.body(), transcoder, status)
}

/// The same without the exchange, for a stream that outlives it.
pub(super) fn brief(transcoder: &Transcoder, status: &Status, id: &str) -> Vec<u8> {
    let http = status::http_status(status.code);
    let problem = refuse::problem(http, status::name(status.code), &status.message, id);
    extended(problem.body(), transcoder, status)
}

fn extended(problem: &[u8], transcoder: &Transcoder, status: &Status) -> Vec<u8> {
    let mut body = problem.strip_suffix(b"}").unwrap_or(problem).to_vec();
    body.extend_from_slice(format!(",\"grpc_status\":{}", status.code as u8).as_bytes());
    let before = body.len();
    body.extend_from_slice(b",\"details\":");
    let begin = body.len();
    status.write_details(transcoder, &mut body);
    if body.len() == begin {
        body.truncate(before);
    }
    body.push(b'}');
    body
}

/// What the client is told of an answer that is not one of gRPC.
pub(super) fn invalid(active: &mut Active, cause: impl Into<String>) -> Rejection {
    active.exchange.cause = Some(cause.into().into_boxed_str());
    INVALID
}

/// What an answer of HTTP alone comes to, such as that of a proxy on the way.
pub(super) fn of_http(active: &mut Active, http: StatusCode) -> Rejection {
    let rejection = invalid(
        active,
        format!("the answer is not one of gRPC; its status is {http}"),
    );
    match status::of_http(http) {
        GrpcCode::Unavailable => Rejection::new(
            STEP,
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "The service can't take requests now.",
        ),
        _ => rejection,
    }
}
