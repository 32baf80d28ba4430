//! What a request asks for.

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode, header};
use lintel_grpc::{Binding, Lookup, Transcoder};
use lintel_http::Body;
use lintel_kernel::Rejection;

use super::{Grpc, STEP};
use crate::{active::Active, refuse};

const NO_METHOD: Rejection = Rejection::new(
    STEP,
    StatusCode::NOT_FOUND,
    "no_method",
    "There is nothing at this path.",
);

/// The OpenAPI document, where that is asked for.
pub(super) fn document(active: &Active, grpc: &Grpc) -> Option<Response<Body>> {
    let (path, document) = grpc.openapi.as_ref()?;
    let request = &active.exchange.request;
    let asked = request.uri.path() == &**path
        && (request.method == Method::GET || request.method == Method::HEAD);
    asked.then(|| {
        let mut response = Response::new(Body::from(document.clone()));
        let media = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response
    })
}

/// The way to a method.
pub(super) fn find(transcoder: &Transcoder, active: &Active) -> Result<Arc<Binding>, Rejection> {
    let request = &active.exchange.request;
    match transcoder.find(&request.method, request.uri.path()) {
        Lookup::Found(binding) => Ok(Arc::clone(binding)),
        Lookup::NotFound => Err(NO_METHOD),
        Lookup::MethodNotAllowed(allowed) => {
            let names: Vec<&str> = allowed.into_iter().map(Method::as_str).collect();
            let value = HeaderValue::try_from(names.join(", "));
            let value = value.unwrap_or(HeaderValue::from_static(""));
            Err(refuse::METHOD_NOT_ALLOWED.with_header(header::ALLOW, value))
        }
    }
}
