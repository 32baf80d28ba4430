//! The answer to a request that a call became.

use std::{future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, response};
use http_body::Body as _;
use lintel_grpc::{
    Binding, Transcoder, frame,
    json::Unknown,
    status::{self, Status},
};
use lintel_http::{Body, BodyError, Whole};
use lintel_kernel::Rejection;
use serde_json::Value;
use tokio::time::Instant;

use super::super::{Grpc, STEP, answer, problem};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, NoAnswer},
    request,
};

pub(super) const LATE: Rejection = Rejection::new(
    STEP,
    StatusCode::GATEWAY_TIMEOUT,
    "upstream_timeout",
    "The service did not answer in time.",
);

/// Characters of a service's words that go to the caller.
const LONGEST: usize = 1_000;

/// Why there is no whole body.
enum Lost {
    Body(BodyError),
    TooLarge,
}

/// The answer with one message.
pub(super) async fn unary(
    active: &mut Active,
    grpc: &Grpc,
    binding: &Binding,
    answered: Dispatched,
    (context, deadline): (&request::Context<'_>, Instant),
) -> Result<Dispatched, Box<NoAnswer>> {
    let (head, body) = answered.response.into_parts();
    let body = collected(active, grpc, body, (context, deadline)).await?;
    if !head.status.is_success() {
        return Ok(failed(active, &grpc.transcoder, head, &body));
    }
    let mut out = Vec::with_capacity(frame::PREFIX + body.len());
    let schema = grpc.transcoder.schema();
    let media = media(&head.headers);
    frame::framed(&mut out, |out| {
        // A service may say more than the messages have.
        binding.read_answer(schema, (media, &body), Unknown::Ignore, out)
    })
    .map_err(|cause| problem::invalid(active, cause))?;
    let body = Whole::new(Bytes::from(out), Some(Status::ok().fields()));
    Ok(begun(head.headers, Body::boxed(body)))
}

/// The whole body, if it comes in time and is not too large.
pub(super) async fn collected(
    active: &mut Active,
    grpc: &Grpc,
    body: Body,
    (context, deadline): (&request::Context<'_>, Instant),
) -> Result<Bytes, Rejection> {
    let begun = Instant::now();
    let timer = &context.wire.timer;
    let read = timer
        .timeout_at(deadline, whole(body, grpc.max_message))
        .await;
    active.exchange.upstream_time += begun.elapsed();
    match read.map_err(|_elapsed| LATE)? {
        Ok(body) => Ok(body),
        Err(Lost::TooLarge) => Err(problem::invalid(
            active,
            "the answer is larger than the limit",
        )),
        Err(Lost::Body(error)) => {
            active.exchange.cause = Some(error.cause.into_boxed_str());
            let detail = dispatch::detail(error.facts);
            let status = error.facts.status();
            Err(Rejection::new(STEP, status, "answer_incomplete", detail))
        }
    }
}

async fn whole(mut body: Body, limit: usize) -> Result<Bytes, Lost> {
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(Lost::Body)?.into_data() else {
            continue;
        };
        if all.len() + data.len() > limit {
            return Err(Lost::TooLarge);
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// The media type of an answer.
pub(super) fn media(headers: &HeaderMap) -> &str {
    let media = headers.get(header::CONTENT_TYPE);
    media
        .and_then(|media| media.to_str().ok())
        .unwrap_or_default()
}

/// The head of an answer of gRPC: what the service sent goes along as metadata.
pub(super) fn begun(mut fields: HeaderMap, body: Body) -> Dispatched {
    answer::own(&mut fields);
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    answer::merge(headers, fields);
    response.into()
}

/// An answer of HTTP that says no, as a status of gRPC.
pub(super) fn failed(
    active: &mut Active,
    transcoder: &Transcoder,
    head: response::Parts,
    body: &[u8],
) -> Dispatched {
    active.exchange.cause = Some(format!("the service answered {}", head.status.as_u16()).into());
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let status = told(transcoder, Some(head.status), &value);
    let mut answered = begun(head.headers, Body::empty());
    answered.response.headers_mut().extend(status.fields());
    answered
}

/// What a service says of a failure: problem details (RFC 9457), those of this gateway among them,
/// or an object with a message.
pub(super) fn told(transcoder: &Transcoder, http: Option<StatusCode>, value: &Value) -> Status {
    let inner = value
        .get("error")
        .filter(|inner| inner.is_object())
        .unwrap_or(value);
    let text = ["detail", "message", "error", "title"]
        .iter()
        .find_map(|key| inner.get(key)?.as_str())
        .unwrap_or_default();
    let number = inner.get("grpc_status").and_then(Value::as_u64);
    let number = number.and_then(|number| u8::try_from(number).ok());
    let own = inner.get("status").and_then(Value::as_u64);
    let own = own.and_then(|own| StatusCode::from_u16(u16::try_from(own).ok()?).ok());
    let code = number.filter(|number| *number != 0).map_or_else(
        || status::of_rest(http.or(own).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
        status::code_of,
    );
    let message: String = text.chars().take(LONGEST).collect();
    let status = Status::new(code, message);
    match inner.get("details") {
        Some(details @ Value::Array(_)) => status.with_details(transcoder, details),
        _ => status,
    }
}
