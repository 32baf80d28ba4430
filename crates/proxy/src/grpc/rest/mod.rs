//! The other way round: callers speak gRPC, the service speaks JSON over HTTP.

mod answer;
mod call;
mod stream;
mod upload;

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use lintel_grpc::Binding;
use lintel_http::Body;
use lintel_kernel::{GrpcCode, Rejection};
use tokio::time::Instant;

use self::{
    call::{UNFIT, read, set},
    upload::Source,
};
use super::{Grpc, STEP, upload::Told};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, Errand, NoAnswer},
    request::Context,
    snapshot::Route,
};

const NO_METHOD: Rejection = Rejection::new(
    STEP,
    StatusCode::NOT_FOUND,
    "no_method",
    "There is no such method here.",
)
.with_grpc(GrpcCode::Unimplemented);
const STREAM: Rejection = Rejection::new(
    STEP,
    StatusCode::NOT_IMPLEMENTED,
    "client_stream",
    "The method takes a stream, and its request has no body.",
)
.with_grpc(GrpcCode::Unimplemented);
/// Makes a request of a call, and messages of its answer. Requests that are no calls pass as they are.
pub(super) async fn dispatch(
    active: &mut Active,
    route: &Route,
    grpc: &Arc<Grpc>,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let deadline = context.wire.received + route.timeout;
    let errand = |body| Errand {
        service: grpc.service,
        body,
        deadline,
        again: false,
        call: false,
    };
    if !active.exchange.grpc {
        return dispatch::forward(active, route, errand(body), context).await;
    }
    let path = active.exchange.request.uri.path();
    let binding = grpc.transcoder.binding_of(path).ok_or(NO_METHOD)?;
    let binding = Arc::clone(binding);
    let (message, more) = messages(active, grpc, &binding, body, (context, deadline)).await?;
    let schema = grpc.transcoder.schema();
    let request = binding
        .request_of(schema, message.as_deref().unwrap_or_default(), grpc.style)
        .map_err(|why| UNFIT.with_detail(why))?;
    let raw = binding.answers_http_body(schema);
    let kept = set(active, (&binding, raw), &request, context.wire.received)?;
    let told = Rc::new(Told::default());
    let sent = match (more, request.body) {
        (Some(more), body) => {
            let line = message.map(|_| body.unwrap_or_else(|| b"null".to_vec()));
            upload::lines(grpc, &binding, line, more, &told)
        }
        (None, Some(body)) => Body::from(Bytes::from(body)),
        (None, None) => Body::empty(),
    };
    // Deadlines are told in the words of HTTP; what is refused is told in those of gRPC.
    active.exchange.grpc = false;
    let answered = dispatch::forward(active, route, errand(sent), context).await;
    active.exchange.grpc = true;
    active.exchange.request = kept;
    let answered = answered.map_err(|mut lost| {
        // Not what the client sent.
        lost.body = None;
        told.correct(lost)
    })?;
    if binding.method.server_streaming {
        return stream::answer(active, grpc, binding, answered, (context, deadline)).await;
    }
    answer::unary(active, grpc, &binding, answered, (context, deadline)).await
}

/// The first message of a call, and what gives those that follow where there may be some.
async fn messages(
    active: &mut Active,
    grpc: &Grpc,
    binding: &Binding,
    body: Body,
    (context, deadline): (&Context<'_>, Instant),
) -> Result<(Option<Bytes>, Option<Source>), Rejection> {
    if !binding.method.client_streaming {
        let message = read(active, grpc, body, (context, deadline)).await?;
        return Ok((Some(message), None));
    }
    match binding.takes_body() {
        true => upload::first(active, grpc, body, (context, deadline)).await,
        false => Err(STREAM),
    }
}
