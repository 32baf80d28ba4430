//! The call: its message, and the request that it becomes.

use std::{future::poll_fn, pin::Pin};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use lintel_grpc::{
    Binding, RestRequest,
    frame::{Encoding, FrameError, Messages},
};
use lintel_http::{Body, BodyError};
use lintel_kernel::{GrpcCode, Rejection};
use lintel_upstream::deadline::{Deadline, REQUEST_DEADLINE};
use tokio::time::Instant;

use super::super::{Grpc, STEP, head::remove_reserved};
use crate::{active::Active, dispatch, request::Context};

pub(super) const UNFIT: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_REQUEST,
    "invalid_request",
    "The message does not fit the method.",
)
.with_grpc(GrpcCode::InvalidArgument);
pub(super) const LATE: Rejection = Rejection::new(
    STEP,
    StatusCode::REQUEST_TIMEOUT,
    "body_timeout",
    "The message did not arrive in time.",
)
.with_grpc(GrpcCode::DeadlineExceeded);

/// The one message of a call.
pub(super) async fn read(
    active: &mut Active,
    grpc: &Grpc,
    body: Body,
    (context, deadline): (&Context<'_>, Instant),
) -> Result<Bytes, Rejection> {
    let mut reader = reader(active, grpc)?;
    let mut body = body.metered(&active.bytes_in);
    let reading = async {
        let mut message = None;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
                continue;
            };
            reader.push(&data);
            while let Some(next) = reader.take().map_err(|error| wrong(&error))? {
                if message.replace(next).is_some() {
                    return Err(UNFIT.with_detail("The method takes one message."));
                }
            }
        }
        reader.end().map_err(|error| wrong(&error))?;
        message.ok_or_else(|| UNFIT.with_detail("The method takes a message."))
    };
    let timer = &context.wire.timer;
    timer
        .timeout_at(deadline, reading)
        .await
        .map_err(|_elapsed| LATE)?
}

/// What takes the messages of a call apart.
pub(super) fn reader(active: &Active, grpc: &Grpc) -> Result<Messages, Rejection> {
    let name = active.exchange.request.headers.get("grpc-encoding");
    let encoding = Encoding::of(name.map(HeaderValue::as_bytes)).ok_or_else(|| {
        UNFIT
            .with_detail("Messages are compressed in an unknown way.")
            .with_grpc(GrpcCode::Unimplemented)
    })?;
    Ok(Messages::new(encoding, grpc.max_message))
}

pub(super) fn wrong(error: &FrameError) -> Rejection {
    let refused = UNFIT.with_detail(format!("The call can't be read: {error}."));
    match error {
        FrameError::TooLarge => refused.with_grpc(GrpcCode::ResourceExhausted),
        _ => refused,
    }
}

pub(super) fn broken(error: &BodyError) -> Rejection {
    let detail = dispatch::detail(error.facts);
    Rejection::new(STEP, error.facts.status(), "body_incomplete", detail)
}

/// Fields of a call that mean nothing to a service of HTTP. All others go along.
const NOT_FIELDS: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ACCEPT_ENCODING,
    header::TE,
];

/// Turns the head of a call into that of the request. Gives back what it was.
pub(super) fn set(
    active: &mut Active,
    (binding, raw): (&Binding, bool),
    request: &RestRequest,
    received: Instant,
) -> Result<http::request::Parts, Rejection> {
    let head = &mut active.exchange.request;
    let kept = head.clone();
    head.uri = request
        .target
        .parse()
        .map_err(|_| UNFIT.with_detail("The message makes no valid path."))?;
    head.method = request.verb.clone();
    for name in &NOT_FIELDS {
        head.headers.remove(name);
    }
    let told = Deadline::read(&head.headers, true, received);
    remove_reserved(&mut head.headers);
    if let Some(told) = told {
        let left = told.at.saturating_duration_since(received).as_millis();
        let left = HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX));
        head.headers.insert(REQUEST_DEADLINE, left);
    }
    let accept = match (binding.method.server_streaming, raw) {
        (_, true) => "*/*",
        (true, _) => "application/x-ndjson, application/json;q=0.5",
        (false, _) => "application/json",
    };
    head.headers
        .insert(header::ACCEPT, HeaderValue::from_static(accept));
    if binding.method.client_streaming {
        let lines = HeaderValue::from_static("application/x-ndjson");
        head.headers.insert(header::CONTENT_TYPE, lines);
    } else if let Some(body) = &request.body {
        let json = HeaderValue::from_static("application/json");
        head.headers.insert(header::CONTENT_TYPE, json);
        head.headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Ok(kept)
}
