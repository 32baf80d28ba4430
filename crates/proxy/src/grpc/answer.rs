//! The answer to a call with one message.

use std::{future::poll_fn, pin::Pin};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use lintel_grpc::{
    Binding,
    frame::{Encoding, FrameError, Messages},
    http_body as raw_body,
    status::Status,
};
use lintel_http::{Body, BodyError};
use lintel_kernel::{GrpcCode, Rejection};
use tokio::time::Instant;

use super::{Grpc, STEP, problem};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, NoAnswer},
    request::Context,
};

const LATE: Rejection = Rejection::new(
    STEP,
    StatusCode::GATEWAY_TIMEOUT,
    "upstream_timeout",
    "The service did not answer in time.",
);

/// Why the messages of an answer can't be had.
enum Lost {
    Body(BodyError),
    Frame(FrameError),
    /// Not one message.
    Count(usize),
}

/// What came of a call.
struct Ended {
    message: Option<Bytes>,
    trailers: HeaderMap,
}

/// The answer of a service as a response with one JSON value, or as problem details.
pub(super) async fn unary(
    active: &mut Active,
    grpc: &Grpc,
    binding: &Binding,
    answered: Dispatched,
    context: &Context<'_>,
    deadline: Instant,
) -> Result<Dispatched, Box<NoAnswer>> {
    let (head, body) = answered.response.into_parts();
    let encoding = checked(active, &head)?;
    let mut fields = head.headers;
    let begun = Instant::now();
    let reader = Messages::new(encoding, grpc.max_message);
    let timer = &context.wire.timer;
    let ended = timer.timeout_at(deadline, read(body, reader)).await;
    active.exchange.upstream_time += begun.elapsed();
    let ended = ended.map_err(|_elapsed| LATE)?;
    let ended = ended.map_err(|lost| refused(active, lost))?;
    let status = Status::of(&ended.trailers).or_else(|| Status::of(&fields));
    let Some(status) = status else {
        return Err(problem::invalid(active, "the call ended without a status").into());
    };
    metadata(&mut fields, ended.trailers);
    let mut response = match (status.code, ended.message) {
        (GrpcCode::Ok, Some(message)) => written(active, grpc, binding, &message)?,
        (GrpcCode::Ok, None) => return Err(refused(active, Lost::Count(0)).into()),
        (_, _) => problem::response(active, &grpc.transcoder, &status),
    };
    merge(response.headers_mut(), fields);
    Ok(response.into())
}

/// How the messages of an answer are compressed, if it is one of gRPC.
pub(super) fn checked(
    active: &mut Active,
    head: &http::response::Parts,
) -> Result<Encoding, Rejection> {
    let media = head.headers.get(header::CONTENT_TYPE);
    let is_grpc = media.is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"));
    if head.status != StatusCode::OK || !is_grpc {
        return Err(problem::of_http(active, head.status));
    }
    let name = head.headers.get("grpc-encoding").map(HeaderValue::as_bytes);
    Encoding::of(name)
        .ok_or_else(|| problem::invalid(active, "its messages are compressed in an unknown way"))
}

async fn read(mut body: Body, mut reader: Messages) -> Result<Ended, Lost> {
    let (mut message, mut trailers) = (None, HeaderMap::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = match frame.map_err(Lost::Body)?.into_data() {
            Ok(data) => {
                reader.push(&data);
                while let Some(next) = reader.take().map_err(Lost::Frame)? {
                    if message.replace(next).is_some() {
                        return Err(Lost::Count(2));
                    }
                }
                continue;
            }
            Err(frame) => frame,
        };
        if let Ok(fields) = frame.into_trailers() {
            trailers = fields;
        }
    }
    reader.end().map_err(Lost::Frame)?;
    Ok(Ended { message, trailers })
}

fn refused(active: &mut Active, lost: Lost) -> Rejection {
    let error = match lost {
        Lost::Body(error) => error,
        Lost::Frame(error) => return problem::invalid(active, error.to_string()),
        Lost::Count(0) => return problem::invalid(active, "the answer has no message"),
        Lost::Count(_) => return problem::invalid(active, "the answer has several messages"),
    };
    active.exchange.cause = Some(error.cause.into_boxed_str());
    let facts = error.facts;
    Rejection::new(
        STEP,
        facts.status(),
        "answer_incomplete",
        dispatch::detail(facts),
    )
}

fn written(
    active: &mut Active,
    grpc: &Grpc,
    binding: &Binding,
    message: &[u8],
) -> Result<Response<Body>, Rejection> {
    let schema = grpc.transcoder.schema();
    if binding.answers_http_body(schema) {
        let Some((media, data)) = raw_body(message) else {
            return Err(problem::invalid(
                active,
                "the answer is not a google.api.HttpBody",
            ));
        };
        let mut response = Response::new(Body::from(Bytes::copy_from_slice(data)));
        if let Ok(media) = HeaderValue::from_str(media)
            && !media.is_empty()
        {
            response.headers_mut().insert(header::CONTENT_TYPE, media);
        }
        return Ok(response);
    }
    let mut json = Vec::with_capacity(message.len() * 2 + 64);
    binding
        .write_answer(schema, message, grpc.style, &mut json)
        .map_err(|error| problem::invalid(active, error.to_string()))?;
    let mut response = Response::new(Body::from(Bytes::from(json)));
    let media = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}

/// Fields that speak of the message they came in, and not of the one that they go in.
const OF_THE_MESSAGE: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::UPGRADE,
];

/// Adds the trailers of a call to its leading metadata, and takes away what is gRPC's own.
pub(crate) fn metadata(fields: &mut HeaderMap, trailers: HeaderMap) {
    let mut last = None;
    for (name, value) in trailers {
        last = name.or(last);
        if let Some(name) = &last {
            fields.append(name, value);
        }
    }
    own(fields);
}

/// Takes away what is gRPC's own, and what is not of the answer that goes on.
pub(super) fn own(fields: &mut HeaderMap) {
    for name in &OF_THE_MESSAGE {
        fields.remove(name);
    }
    let reserved: Vec<HeaderName> = fields
        .keys()
        .filter(|name| name.as_str().starts_with("grpc-"))
        .cloned()
        .collect();
    for name in reserved {
        fields.remove(name);
    }
}

/// Adds fields to those that are there, which count.
pub(super) fn merge(headers: &mut HeaderMap, fields: HeaderMap) {
    let own: Vec<HeaderName> = headers.keys().cloned().collect();
    let mut last = None;
    for (name, value) in fields {
        last = name.or(last);
        if let Some(name) = last.as_ref().filter(|name| !own.contains(name)) {
            headers.append(name, value);
        }
    }
}
