//! How a refusal looks: problem details for HTTP callers (RFC 9457), trailers-only for gRPC
//! callers, or the operator's own page.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use lintel_grpc::status::Status;
use lintel_http::Body;
use lintel_kernel::{GrpcCode, Rejection, exchange::Refused, expr::Scope};

use crate::{
    active::Active,
    grpc_details::retry_info,
    respond,
    snapshot::{Page, escape_json},
};

pub(crate) const NO_ROUTE: Rejection = Rejection::new(
    "route",
    StatusCode::NOT_FOUND,
    "no_route",
    "No route matches this request.",
);
pub(crate) const METHOD_NOT_ALLOWED: Rejection = Rejection::new(
    "route",
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "This path does not take this method.",
);
pub(crate) const BODY_TOO_LARGE: Rejection = Rejection::new(
    "receive",
    StatusCode::PAYLOAD_TOO_LARGE,
    "body_too_large",
    "The request body is larger than allowed.",
);

pub(crate) const POLICY_TIMEOUT: Rejection = Rejection::new(
    "policies",
    StatusCode::GATEWAY_TIMEOUT,
    "policy_timeout",
    "The request could not be admitted in time.",
);

pub(crate) const ANSWER_TIMEOUT: Rejection = Rejection::new(
    "policies",
    StatusCode::GATEWAY_TIMEOUT,
    "upstream_timeout",
    "The service did not answer in time.",
);

/// The value of `Allow` (RFC 9110 §10.2.1).
pub(crate) fn allow_value(allow: &lintel_router::Allow) -> HeaderValue {
    // Methods are tokens: always a valid field value.
    HeaderValue::from_str(&allow.to_string()).unwrap_or(HeaderValue::from_static(""))
}

const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Makes the answer to a refused request, and notes the refusal in its record.
pub(crate) fn response(active: &mut Active, rejection: Rejection) -> Response<Body> {
    let Rejection {
        status,
        grpc,
        code,
        detail,
        retry_after,
        headers,
        violated,
        cause,
        by,
    } = rejection;
    active.exchange.refused = Some(Refused { by, code, detail });
    if let Some(cause) = cause {
        active.exchange.cause = Some(cause.into());
    }
    let mut response = if active.exchange.grpc {
        grpc_response(
            grpc,
            active
                .exchange
                .refused
                .as_ref()
                .map_or("", |refused| &refused.detail),
        )
    } else {
        http_response(active, status, code, violated.as_deref())
    };
    if let Some(after) = retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        if active.exchange.grpc {
            let message = active.exchange.refused.as_ref();
            let message = message.map_or("", |refused| &refused.detail);
            let details = retry_info(grpc, message, after, violated.as_deref());
            response.headers_mut().insert(GRPC_STATUS_DETAILS, details);
        }
    }
    if let Some(headers) = headers {
        append(response.headers_mut(), *headers);
    }
    response
}

/// Adds fields, several of one name among them: one challenge for each way in.
fn append(headers: &mut HeaderMap, fields: HeaderMap) {
    let mut last = None;
    for (name, value) in fields {
        // Further values of a name come without it.
        last = name.or(last);
        if let Some(name) = &last {
            headers.append(name, value);
        }
    }
}

fn http_response(
    active: &Active,
    status: StatusCode,
    code: &str,
    violated: Option<&str>,
) -> Response<Body> {
    if let Some(page) = page(active, status) {
        // The page sees the status it is shown for.
        let mut shown = Response::new(());
        *shown.status_mut() = status;
        let scope = Scope::answer(&active.exchange, &shown);
        let mut response = respond::page(page, scope);
        *response.status_mut() = status;
        return response;
    }
    if status == StatusCode::NO_CONTENT {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        return response;
    }
    let detail = active
        .exchange
        .refused
        .as_ref()
        .map_or("", |refused| &refused.detail);
    let id = active.exchange.id.as_str();
    let mut response = problem(status, code, detail, id);
    if let Some(violated) = violated {
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = with_violated(&body, violated);
    }
    response.map(Body::from)
}

/// The operator's own page: that of the group, or that for all.
fn page(active: &Active, status: StatusCode) -> Option<&Page> {
    let (snapshot, exchange) = (&active.local.snapshot, &active.exchange);
    let route = exchange
        .route
        .map(|route| snapshot.routes.get(route as usize));
    let group = match route {
        Some(route) => route.and_then(|route| route.group.as_deref()),
        None => snapshot.group_of(exchange.host(), exchange.listener),
    };
    let own = group.and_then(|group| group.errors.page(status));
    own.or_else(|| snapshot.errors.page(status))
}

/// Problem details with the member `violated-policies`
/// (draft-ietf-httpapi-ratelimit-headers-10 §5).
fn with_violated(problem: &[u8], violated: &str) -> Bytes {
    let mut body = problem.strip_suffix(b"}").unwrap_or(problem).to_vec();
    let mut name = String::with_capacity(violated.len());
    escape_json(violated, &mut name);
    body.extend_from_slice(b",\"violated-policies\":[\"");
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\"]}");
    Bytes::from(body)
}

/// Problem details (RFC 9457 §3). `type` is `about:blank`, so `title` is the status phrase and
/// programs go by `code`.
pub fn problem(status: StatusCode, code: &str, detail: &str, instance: &str) -> Response<Bytes> {
    let mut body = String::with_capacity(192);
    let title = status.canonical_reason().unwrap_or("Error");
    // Writing to a String can't fail.
    let _ = write!(
        body,
        "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{},\"code\":\"{code}\",\"detail\":\"",
        status.as_u16()
    );
    escape_json(detail, &mut body);
    body.push_str("\",\"instance\":\"");
    escape_json(instance, &mut body);
    body.push_str("\"}");
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A trailers-only answer (gRPC over HTTP/2, "Responses").
fn grpc_response(code: GrpcCode, detail: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.extend(Status::new(code, detail).fields());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_json_whatever_the_detail() {
        let response = problem(StatusCode::BAD_REQUEST, "x", "a \"b\" \\ \n", "id-1");
        assert_eq!(
            response.body(),
            "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"code\":\"x\",\"detail\":\"a \\\"b\\\" \\\\ \\u000a\",\"instance\":\"id-1\"}"
        );
    }

    #[test]
    fn a_limit_is_named() {
        let response = problem(StatusCode::TOO_MANY_REQUESTS, "x", "", "id-1");
        let body = with_violated(response.body(), "a \"b\"");
        assert!(
            body.ends_with(b"\"instance\":\"id-1\",\"violated-policies\":[\"a \\\"b\\\"\"]}"),
            "{body:?}"
        );
    }

    #[test]
    fn every_challenge_is_told() {
        let mut challenges = HeaderMap::new();
        for scheme in ["Bearer", "Basic"] {
            challenges.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        challenges.append(header::ALLOW, HeaderValue::from_static("GET"));
        let mut headers = HeaderMap::new();
        append(&mut headers, challenges.clone());
        assert_eq!(headers, challenges);
    }
}
