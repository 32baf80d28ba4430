//! REST in front of gRPC: a request becomes a call of the service, and what the call comes to
//! becomes the answer.

mod answer;
mod call;
mod head;
mod negotiate;
mod problem;
mod stream;
mod upload;
mod web;

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use lintel_grpc::{Binding, Lookup, Transcoder, json};
use lintel_http::Body;
use lintel_kernel::Rejection;

use crate::{
    active::Active,
    dispatch::{self, Dispatched, Errand, NoAnswer},
    refuse,
    request::Context,
    snapshot::Route,
};

/// Calls of a gRPC service.
pub struct Grpc {
    /// The service, by its index.
    pub service: usize,
    /// Its methods, and the ways to them.
    pub transcoder: Arc<Transcoder>,
    /// What becomes of names that a message does not have.
    pub unknown: json::Unknown,
    /// How answers are written.
    pub style: json::Style,
    /// Largest message of an answer, in bytes.
    pub max_message: usize,
    /// Whether callers may speak gRPC-Web.
    pub web: bool,
    /// Where the OpenAPI document is, and what it says.
    pub openapi: Option<(Box<str>, Bytes)>,
}

pub(crate) const STEP: &str = "grpc";

const NO_METHOD: Rejection = Rejection::new(
    STEP,
    StatusCode::NOT_FOUND,
    "no_method",
    "There is nothing at this path.",
);
pub(crate) async fn dispatch(
    active: &mut Active,
    route: &Route,
    grpc: &Arc<Grpc>,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let deadline = context.wire.received + route.timeout;
    let errand = |body, call| Errand {
        service: grpc.service,
        body,
        deadline,
        again: false,
        call,
    };
    if active.exchange.grpc {
        // A caller that speaks gRPC needs no other language.
        return dispatch::forward(active, route, errand(body, false), context).await;
    }
    if let Some(dialect) = web::Dialect::of(&active.exchange.request.headers)
        && grpc.web
    {
        let call = (body, dialect);
        return web::dispatch(active, route, grpc, call, context, deadline).await;
    }
    if let Some(document) = document(active, grpc) {
        return Ok(document.into());
    }
    let binding = find(&grpc.transcoder, active)?;
    head::check_media(active, &binding, &body)?;
    let wanted = negotiate::Form::wanted(&active.exchange.request.headers);
    let told = Rc::new(upload::Told::default());
    let timer = context.wire.timer.clone();
    let message = call::body(active, grpc, &binding, body, &told, (timer, deadline)).await?;
    let kept = head::set(active, &binding, route.fallback.is_some());
    let begun = errand(message, true);
    let answered = dispatch::forward(active, route, begun, context).await;
    kept.give_back(&mut active.exchange.request);
    let answered = answered.map_err(|lost| told.correct(lost))?;
    if binding.method.server_streaming {
        return stream::answer(active, grpc, binding, wanted, answered);
    }
    answer::unary(active, grpc, &binding, answered, context, deadline).await
}

/// The OpenAPI document, where that is asked for.
fn document(active: &Active, grpc: &Grpc) -> Option<Response<Body>> {
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

fn find(transcoder: &Transcoder, active: &Active) -> Result<Arc<Binding>, Rejection> {
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
