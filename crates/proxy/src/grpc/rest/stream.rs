//! A stream of messages out of an answer with many JSON values: one a line, each when it comes, or
//! one array.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use lintel_grpc::{Binding, frame, json::Unknown, status::Status};
use lintel_http::{Body, BodyError};
use lintel_kernel::GrpcCode;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{Grpc, lines::Lines},
    answer::{begun, collected, failed, media, told},
};
use crate::{
    active::Active,
    dispatch::{Dispatched, NoAnswer},
    request,
};

/// The answer with any number of messages.
pub(super) async fn answer(
    active: &mut Active,
    grpc: &Arc<Grpc>,
    binding: Arc<Binding>,
    answered: Dispatched,
    (context, deadline): (&request::Context<'_>, Instant),
) -> Result<Dispatched, Box<NoAnswer>> {
    let (head, body) = answered.response.into_parts();
    let media = media(&head.headers).to_ascii_lowercase();
    let ok = head.status.is_success();
    let in_lines = media.contains("ndjson") || media.contains("jsonl");
    if ok && in_lines {
        let stream = Stream::new(grpc, binding, body);
        return Ok(begun(head.headers, Body::boxed(stream)));
    }
    let body = collected(active, grpc, body, (context, deadline)).await?;
    if !ok {
        return Ok(failed(active, &grpc.transcoder, head, &body));
    }
    let stream = Stream::new(grpc, binding, Body::from(as_lines(&body)));
    Ok(begun(head.headers, Body::boxed(stream)))
}

/// The values of an array, one a line; anything else is one value.
fn as_lines(body: &Bytes) -> Bytes {
    match serde_json::from_slice(body) {
        Ok(Value::Array(items)) => {
            let lines = items.iter().map(|item| format!("{item}\n"));
            Bytes::from(lines.collect::<String>())
        }
        Ok(value) => Bytes::from(value.to_string()),
        // What is wrong with it is told when it is read.
        Err(_) => body.clone(),
    }
}

struct Stream {
    body: Body,
    lines: Lines,
    grpc: Arc<Grpc>,
    binding: Arc<Binding>,
    state: State,
}

enum State {
    Open,
    /// The body has ended; lines may be left.
    Ending,
    /// The status is still to be said.
    Over(Status),
    Ended,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Stream {
    fn new(grpc: &Arc<Grpc>, binding: Arc<Binding>, body: Body) -> Self {
        Self {
            body,
            lines: Lines::new(grpc.max_message),
            grpc: Arc::clone(grpc),
            binding,
            state: State::Open,
        }
    }

    fn over(&mut self, code: GrpcCode, message: &str) {
        self.body = Body::empty();
        self.state = State::Over(Status::new(code, message));
    }

    /// The messages of the lines that are there.
    fn messages(&mut self) -> Bytes {
        let mut out = Vec::new();
        loop {
            let line = match self.lines.take(matches!(self.state, State::Ending)) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(_too_long) => {
                    self.over(GrpcCode::ResourceExhausted, "A message is too large.");
                    break;
                }
            };
            if let Some(status) = self.failure(&line) {
                self.body = Body::empty();
                self.state = State::Over(status);
                break;
            }
            let before = out.len();
            let written = frame::framed(&mut out, |out| {
                let schema = self.grpc.transcoder.schema();
                let ignore = Unknown::Ignore;
                self.binding.read_answer(schema, ("", &line), ignore, out)
            });
            if let Err(cause) = written {
                out.truncate(before);
                tracing::debug!(cause, "a line of the answer does not fit the method");
                self.over(GrpcCode::Internal, "The service gave an invalid answer.");
                break;
            }
        }
        Bytes::from(out)
    }

    /// The failure that a line tells, as this gateway ends streams: `{"error": {…}}`.
    fn failure(&self, line: &[u8]) -> Option<Status> {
        if !line.trim_ascii_start().starts_with(b"{\"error\"") {
            return None;
        }
        let value: Value = serde_json::from_slice(line).ok()?;
        let fields = value.as_object()?;
        let alone = fields.len() == 1 && fields.get("error")?.is_object();
        alone.then(|| told(&self.grpc.transcoder, None, &value))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        loop {
            if matches!(this.state, State::Open | State::Ending) {
                let messages = this.messages();
                if !messages.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(messages))));
                }
            }
            match std::mem::replace(&mut this.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Over(status) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(status.fields()))));
                }
                State::Ending => {
                    this.state = State::Over(Status::ok());
                    continue;
                }
                State::Open => this.state = State::Open,
            }
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => this.state = State::Ending,
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(cause = error.cause, "the answer broke off");
                    this.over(GrpcCode::Unavailable, "The service broke off.");
                }
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        this.lines.push(&data);
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
