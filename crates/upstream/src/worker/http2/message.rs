//! A request as HTTP/2 writes it (RFC 9113 §8).

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Uri, header,
    request::Parts,
    uri::{self, Authority, Scheme},
};

use lintel_http::h2::remove_connection_fields;

use crate::{service::Endpoint, worker::upload::Upload};

/// The request for an endpoint. The head is copied, for another try; values are shared.
///
/// # Errors
///
/// Why the target can't be written.
pub(crate) fn request(
    head: &Parts,
    endpoint: &Endpoint,
    te_trailers: bool,
    body: Upload,
) -> Result<Request<Upload>, (String, Upload)> {
    let uri = match target(head, endpoint) {
        Ok(uri) => uri,
        Err(why) => return Err((why, body)),
    };
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = head.headers.clone();
    clean(request.headers_mut(), te_trailers);
    Ok(request)
}

fn clean(headers: &mut HeaderMap, te_trailers: bool) {
    remove_connection_fields(headers);
    headers.remove(header::HOST);
    let grpc = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if te_trailers || grpc {
        // gRPC asks for it to detect proxies that lose trailers.
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// `:scheme`, `:authority` (what HTTP/1 says in `Host`) and `:path`.
fn target(head: &Parts, endpoint: &Endpoint) -> Result<Uri, String> {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(if endpoint.is_tls() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    parts.authority = match head.headers.get(header::HOST) {
        Some(host) => {
            let authority = Authority::from_maybe_shared(Bytes::copy_from_slice(host.as_bytes()));
            Some(authority.map_err(|error| format!("`Host` is no authority: {error}"))?)
        }
        None => head
            .uri
            .authority()
            .or_else(|| endpoint.authority())
            .cloned(),
    };
    parts.path_and_query = Some(
        head.uri
            .path_and_query()
            .cloned()
            .unwrap_or(uri::PathAndQuery::from_static("/")),
    );
    Uri::from_parts(parts)
        .map_err(|error| format!("the target can't be written for HTTP/2: {error}"))
}
