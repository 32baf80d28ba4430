//! REST in front of gRPC: a request becomes a call of the service, and what the call comes to
//! becomes the answer.

mod answer;
mod call;
mod calls;
mod find;
mod head;
mod lines;
mod negotiate;
mod problem;
mod rest;
mod stream;
mod upload;
mod web;
mod websocket;

pub(crate) use answer::metadata;
pub(crate) use call::{broken, whole};
pub use calls::Calls;
pub(crate) use websocket::Session;
pub use websocket::WebSockets;

use std::{rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use lintel_grpc::{Transcoder, json};
use lintel_http::Body;
use lintel_kernel::Rejection;

use self::find::{document, find};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, Errand, NoAnswer},
    request::Context,
    snapshot::Route,
};

/// Calls of a gRPC service.
pub struct Grpc {
    /// The service, by its index.
    pub service: usize,
    /// Whether its methods are known: those of reflection may have to be asked for first.
    pub known: bool,
    /// Its methods, and the ways to them.
    pub transcoder: Arc<Transcoder>,
    /// What becomes of names that a message does not have.
    pub unknown: json::Unknown,
    /// How answers are written.
    pub style: json::Style,
    /// Largest message of an answer, in bytes.
    pub max_message: usize,
    /// Whether the service speaks JSON, and the callers gRPC.
    pub rest: bool,
    /// Whether callers may speak gRPC-Web.
    pub web: bool,
    /// Who may open WebSockets for streams; without it, nobody.
    pub websocket: Option<WebSockets>,
    /// Where the OpenAPI document is, and what it says.
    pub openapi: Option<(Box<str>, Bytes)>,
}

pub(crate) const STEP: &str = "grpc";

/// Until a service has said what its methods are.
const UNKNOWN: Rejection = Rejection::new(
    STEP,
    StatusCode::SERVICE_UNAVAILABLE,
    "methods_unknown",
    "The service has not yet said what its methods are.",
)
.with_retry_after(Duration::from_secs(1));

pub(crate) async fn dispatch(
    active: &mut Active,
    route: &Route,
    grpc: &Arc<Grpc>,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let deadline = context.wire.received + route.timeout;
    if grpc.web
        && let Some(dialect) = web::Dialect::of(&active.exchange.request.headers)
    {
        let call = (body, dialect);
        return web::dispatch(active, route, grpc, call, context, deadline).await;
    }
    if grpc.rest {
        return rest::dispatch(active, route, grpc, body, context).await;
    }
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
    if !grpc.known {
        return Err(UNKNOWN.into());
    }
    if let Some(document) = document(active, grpc) {
        return Ok(document.into());
    }
    if let Some(rules) = &grpc.websocket
        && let Some(binding) = websocket::asked(active, &grpc.transcoder, context)
    {
        return websocket::open(active, route, grpc, (rules, binding), context);
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
