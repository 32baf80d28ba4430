//! Answers that the gateway makes itself: fixed pages and redirections.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Rejection, expr::Scope};

use crate::snapshot::{Page, Redirect};

const UNFIT_LOCATION: Rejection = Rejection::new(
    "redirect",
    StatusCode::BAD_REQUEST,
    "redirect_unfit",
    "The request holds a value that can't be put into the location.",
);

pub(crate) fn page(page: &Page, scope: Scope<'_>) -> Response<Body> {
    let body = match page.body.literal() {
        Some(text) => Bytes::copy_from_slice(text.as_bytes()),
        None => Bytes::from(page.body.render_escaped(scope, page.escape.function())),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, page.content_type.clone());
    for (name, value) in &page.headers {
        let value = value
            .render(scope)
            .and_then(|text| HeaderValue::from_str(&text).ok());
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    response
}

pub(crate) fn redirect(redirect: &Redirect, scope: Scope<'_>) -> Result<Response<Body>, Rejection> {
    let location = redirect
        .to
        .render(scope)
        .and_then(|to| HeaderValue::from_str(&to).ok());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = redirect.status;
    response
        .headers_mut()
        .insert(header::LOCATION, location.ok_or(UNFIT_LOCATION)?);
    if let Some(value) = &redirect.cache_control {
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, value.clone());
    }
    Ok(response)
}
