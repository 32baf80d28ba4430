//! The answer to a call with any number of messages, each written when it comes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::{Frame, SizeHint};
use lintel_grpc::{Binding, frame::Messages, status::Status};
use lintel_http::{Body, BodyError};
use lintel_kernel::{GrpcCode, Kind, Side};

use super::{Grpc, answer, negotiate::Form, problem};
use crate::{
    active::Active,
    dispatch::{Dispatched, NoAnswer},
};

/// The answer of a service as a stream of JSON values. A call that has failed already is answered
/// by problem details.
pub(super) fn answer(
    active: &mut Active,
    grpc: &Arc<Grpc>,
    binding: Arc<Binding>,
    form: Form,
    answered: Dispatched,
) -> Result<Dispatched, Box<NoAnswer>> {
    let (mut head, body) = answered.response.into_parts();
    let encoding = answer::checked(active, &head)?;
    let ended = Status::of(&head.headers);
    answer::own(&mut head.headers);
    if let Some(status) = ended.as_ref().filter(|status| status.code != GrpcCode::Ok) {
        let mut response = problem::response(active, &grpc.transcoder, status);
        answer::merge(response.headers_mut(), head.headers);
        return Ok(response.into());
    }
    let stream = Stream {
        body,
        reader: Messages::new(encoding, grpc.max_message),
        grpc: Arc::clone(grpc),
        binding,
        form,
        id: active.exchange.id.as_str().into(),
        begun: false,
        trailers: ended,
        state: State::Open,
    };
    let mut response = Response::new(Body::boxed(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form.media());
    if form == Form::Events {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    answer::merge(headers, head.headers);
    Ok(response.into())
}

struct Stream {
    body: Body,
    reader: Messages,
    grpc: Arc<Grpc>,
    binding: Arc<Binding>,
    form: Form,
    /// The request's id, for the problem that ends a stream.
    id: Box<str>,
    /// Whether something was written.
    begun: bool,
    /// The status that has come.
    trailers: Option<Status>,
    state: State,
}

enum State {
    Open,
    /// The body breaks off with this, after what was written last.
    Broken(BodyError),
    Ended,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Stream {
    /// Writes the messages that are there.
    fn messages(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        while let Some(message) = self.reader.take().map_err(|error| error.to_string())? {
            out.extend_from_slice(match (self.form, self.begun) {
                (Form::Array, false) => b"[".as_slice(),
                (Form::Array, true) => b",\n",
                (Form::Lines, _) => b"",
                (Form::Events, _) => b"data: ",
            });
            self.begun = true;
            let schema = self.grpc.transcoder.schema();
            self.binding
                .write_answer(schema, &message, self.grpc.style, out)
                .map_err(|error| error.to_string())?;
            out.extend_from_slice(match self.form {
                Form::Array => b"".as_slice(),
                Form::Lines => b"\n",
                Form::Events => b"\n\n",
            });
        }
        Ok(())
    }

    /// Writes the end that a status makes. An array that is not complete stays open, so that nobody
    /// takes it for one that is.
    fn end(&mut self, status: Option<Status>, out: &mut Vec<u8>) {
        let status = status.unwrap_or_else(|| Status::new(GrpcCode::Unknown, ""));
        if status.code == GrpcCode::Ok {
            out.extend_from_slice(match (self.form, self.begun) {
                (Form::Array, false) => b"[]".as_slice(),
                (Form::Array, true) => b"]",
                (Form::Lines | Form::Events, _) => b"",
            });
            self.state = State::Ended;
            return;
        }
        let shown = problem::brief(&self.grpc.transcoder, &status, &self.id);
        match self.form {
            Form::Array => {}
            Form::Lines => {
                out.extend_from_slice(b"{\"error\":");
                out.extend_from_slice(&shown);
                out.extend_from_slice(b"}\n");
            }
            Form::Events => {
                out.extend_from_slice(b"event: error\ndata: ");
                out.extend_from_slice(&shown);
                out.extend_from_slice(b"\n\n");
            }
        }
        self.fail(format!(
            "the call ended with {}",
            lintel_grpc::status::name(status.code)
        ));
    }

    fn fail(&mut self, cause: String) {
        let error = BodyError::new(Kind::Protocol, Side::Upstream, cause);
        self.state = State::Broken(error);
    }

    fn finish(&mut self) -> Polled {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Broken(error) => Poll::Ready(Some(Err(error))),
            State::Open | State::Ended => Poll::Ready(None),
        }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        loop {
            if !matches!(this.state, State::Open) {
                return this.finish();
            }
            let mut out = Vec::new();
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        this.reader.push(&data);
                        if let Err(cause) = this.messages(&mut out) {
                            // What is whole goes out; then it breaks off.
                            out.clear();
                            this.fail(cause);
                        }
                    }
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            this.trailers = Status::of(&trailers);
                        }
                    }
                },
                Poll::Ready(None) => match this.reader.end() {
                    Ok(()) => {
                        let status = this.trailers.take();
                        this.end(status, &mut out);
                    }
                    Err(error) => this.fail(error.to_string()),
                },
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(out)))));
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
