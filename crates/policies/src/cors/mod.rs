#![doc = include_str!("README.md")]

mod config;
mod origins;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, Rejection};

pub use config::Config;
use origins::Origins;

use crate::{Context, Policy};

/// Lets pages of other origins read answers (Fetch standard, "CORS protocol").
pub struct Cors {
    origins: Origins,
    /// Methods that pages may use; without them those that they ask for.
    methods: Option<HeaderValue>,
    /// Fields that pages may send; without them those that they ask for.
    headers: Option<HeaderValue>,
    /// Fields that pages may read.
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

const REFUSED: Rejection = Rejection::new(
    "cors",
    StatusCode::FORBIDDEN,
    "origin_refused",
    "Pages of this origin may not use this.",
);

/// What an answer to a preflight depends on.
const ASKED: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);

/// What the answer of a service may say itself; the gateway says it in its place.
const OWN: [HeaderName; 3] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

impl Policy for Cors {
    type Config = Config;

    fn build(config: &Config, _: &Context) -> Result<Self, Vec<Fault>> {
        config.build()
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        let request = &exchange.request;
        let asked = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = request.headers.get(header::ORIGIN);
        match (asked, origin) {
            (Some(method), Some(origin)) if request.method == Method::OPTIONS => {
                match self.origins.welcome(origin) {
                    true => Flow::Answer(self.preflight(&request.headers, method)),
                    false => Flow::Refuse(REFUSED.with_header(header::VARY, ASKED)),
                }
            }
            _ => Flow::Next,
        }
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if !self.origins.is_any() || self.credentials {
            // Caches must not give one origin what another has got.
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        // Also from an answer to nobody's page: a cache may give it to one.
        for name in &OWN {
            headers.remove(name);
        }
        let Some(origin) = exchange.request.headers.get(header::ORIGIN) else {
            return;
        };
        if !self.origins.welcome(origin) {
            return;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.allowed(origin));
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(expose) = &self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }
}

impl Cors {
    fn allowed(&self, origin: &HeaderValue) -> HeaderValue {
        match self.origins.is_any() && !self.credentials {
            true => HeaderValue::from_static("*"),
            false => origin.clone(),
        }
    }

    /// The answer to a page that asks before it sends. Whose it is, is added on the way out.
    fn preflight(&self, asked: &HeaderMap, method: &HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let methods = self.methods.as_ref().unwrap_or(method);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
        let names = self.headers.as_ref();
        if let Some(names) = names.or_else(|| asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        headers.insert(header::VARY, ASKED);
        response
    }
}
