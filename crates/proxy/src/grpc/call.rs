//! The body of a call: the messages that a request makes.

use std::{future::poll_fn, pin::Pin, rc::Rc, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use lintel_grpc::{BadRequest, Binding, frame};
use lintel_http::{Body, BodyError, http1::Timer};
use lintel_kernel::Rejection;
use tokio::time::Instant;

use super::{Grpc, STEP, upload};
use crate::{active::Active, dispatch};

pub(super) const UNFIT: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_REQUEST,
    "invalid_request",
    "The request does not fit the method.",
);
const LATE: Rejection = Rejection::new(
    STEP,
    StatusCode::REQUEST_TIMEOUT,
    "body_timeout",
    "The request body did not arrive in time.",
);

/// What a call is sent: one message, or those of a stream as they come.
pub(super) async fn body(
    active: &mut Active,
    grpc: &Arc<Grpc>,
    binding: &Arc<Binding>,
    body: Body,
    told: &Rc<upload::Told>,
    (timer, deadline): (Timer, Instant),
) -> Result<Body, Rejection> {
    if binding.method.client_streaming {
        let mut more = Vec::new();
        parameters(active, grpc, binding, &mut more).map_err(|error| unfit(&error))?;
        let body = body.metered(&active.bytes_in);
        return Ok(upload::messages(grpc, binding, body, more, told));
    }
    let text = if body.is_end_stream() {
        Bytes::new()
    } else {
        let body = body.metered(&active.bytes_in);
        timer
            .timeout_at(deadline, whole(body))
            .await
            .map_err(|_elapsed| LATE)?
            .map_err(|error| broken(STEP, &error))?
    };
    let mut message = Vec::with_capacity(frame::PREFIX + text.len() + 32);
    frame::framed(&mut message, |out| {
        let schema = grpc.transcoder.schema();
        binding.write_body(schema, &text, grpc.unknown, out)?;
        parameters(active, grpc, binding, out)
    })
    .map_err(|error| unfit(&error))?;
    Ok(Body::from(Bytes::from(message)))
}

/// Writes what query and path say.
pub(super) fn parameters(
    active: &Active,
    grpc: &Grpc,
    binding: &Binding,
    out: &mut Vec<u8>,
) -> Result<(), BadRequest> {
    let schema = grpc.transcoder.schema();
    let uri = &active.exchange.request.uri;
    if let Some(query) = uri.query() {
        binding.write_query(schema, query, grpc.unknown, out)?;
    }
    binding.write_path(schema, uri.path(), out)
}

pub(super) fn unfit(error: &BadRequest) -> Rejection {
    UNFIT.with_detail(error.detail())
}

/// What the client is told of a body that could not be read.
pub(crate) fn broken(step: &'static str, error: &BodyError) -> Rejection {
    let detail = dispatch::detail(error.facts);
    let status = error.facts.status();
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::REQUEST_TIMEOUT => "body_timeout",
        _ => "body_incomplete",
    };
    Rejection::new(step, status, code, detail)
}

/// All bytes of a body; its own limit bounds them.
pub(crate) async fn whole(mut body: Body) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        // Most bodies come in one piece.
        if first.is_empty() {
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&first);
            }
            more.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if more.is_empty() {
        first
    } else {
        more.freeze()
    })
}
