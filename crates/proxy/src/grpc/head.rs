//! The head of a request, and that of the call it becomes.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use lintel_grpc::Binding;
use lintel_http::{Body, media};
use lintel_kernel::Rejection;

use super::STEP;
use crate::active::Active;

const UNSUPPORTED: Rejection = Rejection::new(
    STEP,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "The body of the request is to be JSON.",
);

/// The head of a request as it was, for a fallback and for the records.
pub(super) struct Kept {
    method: Method,
    uri: http::Uri,
    /// The fields, where somebody will need them.
    headers: Option<http::HeaderMap>,
}

impl Kept {
    pub(super) fn give_back(self, head: &mut request::Parts) {
        head.method = self.method;
        head.uri = self.uri;
        if let Some(headers) = self.headers {
            head.headers = headers;
        }
    }
}

/// A body that says that it is something else than JSON is not read as JSON.
pub(super) fn check_media(
    active: &Active,
    binding: &Binding,
    body: &Body,
) -> Result<(), Rejection> {
    let media = active.exchange.request.headers.get(header::CONTENT_TYPE);
    let Some(media) = media.filter(|_| binding.takes_body()) else {
        return Ok(());
    };
    let essence = media::essence(media).unwrap_or_default();
    let is_json = ["/json", "+json", "ndjson", "/jsonl"]
        .iter()
        .any(|end| essence.ends_with(end));
    if is_json || http_body::Body::is_end_stream(body) {
        return Ok(());
    }
    Err(UNSUPPORTED)
}

/// Fields of a request that say something of its body or its connection, and nothing to the service.
const NOT_METADATA: [HeaderName; 12] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_CHARSET,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::EXPECT,
];

/// Removes the fields whose names are gRPC's own (gRPC over HTTP/2, "Custom-Metadata").
pub(super) fn remove_reserved(headers: &mut HeaderMap) {
    let reserved: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("grpc-"))
        .cloned()
        .collect();
    for name in reserved {
        headers.remove(name);
    }
}

/// Turns the head of a request into that of a call (gRPC over HTTP/2, "Requests"). All other fields
/// go along as metadata, but for those whose names are gRPC's own.
pub(super) fn set(active: &mut Active, binding: &Binding, keep_fields: bool) -> Kept {
    let head = &mut active.exchange.request;
    let headers = keep_fields.then(|| head.headers.clone());
    for name in &NOT_METADATA {
        head.headers.remove(name);
    }
    remove_reserved(&mut head.headers);
    let grpc = HeaderValue::from_static("application/grpc");
    head.headers.insert(header::CONTENT_TYPE, grpc);
    let encodings = HeaderValue::from_static("identity,gzip");
    let name = HeaderName::from_static("grpc-accept-encoding");
    head.headers.insert(name, encodings);
    let path = http::Uri::from(binding.method.path.clone());
    Kept {
        method: std::mem::replace(&mut head.method, Method::POST),
        uri: std::mem::replace(&mut head.uri, path),
        headers,
    }
}
