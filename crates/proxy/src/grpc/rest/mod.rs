//! The other way round: callers speak gRPC, the service speaks JSON over HTTP.

mod answer;
mod call;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use lintel_http::Body;
use lintel_kernel::{GrpcCode, Rejection};

use self::call::{UNFIT, read, set};
use super::{Grpc, STEP};
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
    "A stream of the client can't be sent to this service.",
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
    if binding.method.client_streaming {
        return Err(STREAM.into());
    }
    let message = read(active, grpc, body, (context, deadline)).await?;
    let schema = grpc.transcoder.schema();
    let request = binding
        .request_of(schema, &message, grpc.style)
        .map_err(|why| UNFIT.with_detail(why))?;
    let raw = binding.answers_http_body(schema);
    let kept = set(active, (&binding, raw), &request, context.wire.received)?;
    let sent = request
        .body
        .map_or_else(Body::empty, |body| Body::from(Bytes::from(body)));
    // Deadlines are told in the words of HTTP; what is refused is told in those of gRPC.
    active.exchange.grpc = false;
    let answered = dispatch::forward(active, route, errand(sent), context).await;
    active.exchange.grpc = true;
    active.exchange.request = kept;
    let answered = answered.map_err(|mut lost| {
        // Not what the client sent.
        lost.body = None;
        lost
    })?;
    if binding.method.server_streaming {
        return stream::answer(active, grpc, binding, answered, (context, deadline)).await;
    }
    answer::unary(active, grpc, &binding, answered, (context, deadline)).await
}
