//! Legs that are calls of gRPC: JSON becomes the message, and the message of the answer JSON.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use lintel_compose::{CallEnd, Missed, Reason, Reply};
use lintel_grpc::{
    Method, Transcoder,
    frame::{self, Encoding, FrameError, Messages},
    json::{self, Style, Unknown},
    status::{self, Status},
};
use lintel_kernel::GrpcCode;

use crate::grpc::metadata;

/// How a leg calls a method of gRPC.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// What is known of the methods of the service.
    pub methods: Arc<Methods>,
    /// How answers are written as JSON.
    pub style: Style,
}

impl PartialEq for Rpc {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.methods, &other.methods) && self.style == other.style
    }
}

impl Eq for Rpc {}

/// What is known of the methods of a service: for good, or until the service says otherwise.
#[derive(Default)]
pub struct Methods(ArcSwapOption<Transcoder>);

impl Methods {
    /// Those that are known.
    pub fn known(methods: Arc<Transcoder>) -> Self {
        Self(ArcSwapOption::new(Some(methods)))
    }

    /// What is known of them, if anything is.
    pub fn current(&self) -> Option<Arc<Transcoder>> {
        self.0.load_full()
    }

    /// The service has said what they are.
    pub fn replace(&self, methods: Arc<Transcoder>) {
        self.0.store(Some(methods));
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Methods")
    }
}

/// A call that is about to be made.
pub(super) struct Begun {
    known: Arc<Transcoder>,
    method: Arc<Method>,
    style: Style,
    /// Its message, framed.
    pub(super) body: Bytes,
}

impl Rpc {
    /// The call of a method, by the path of the call, with a message that is written as JSON.
    pub(super) fn begin(&self, path: &str, text: &[u8]) -> Result<Begun, Missed> {
        let Some(known) = self.methods.current() else {
            let cause = "the service has not yet said what its methods are";
            return Err(missed(Reason::Unavailable, cause));
        };
        let Some(method) = known.method_at(path) else {
            let cause = format!("the service has no method `{path}`");
            return Err(missed(Reason::Unavailable, cause));
        };
        if method.client_streaming || method.server_streaming {
            return Err(missed(Reason::Unfit, "the method has a stream of messages"));
        }
        let method = Arc::clone(method);
        // Nothing says nothing, as an empty object does.
        let text = match text {
            b"" | b"null" => b"{}",
            text => text,
        };
        let text = std::str::from_utf8(text);
        let text = text.map_err(|_| missed(Reason::Unfit, "the text is not UTF-8"))?;
        let mut body = Vec::with_capacity(frame::PREFIX + text.len() + 32);
        frame::framed(&mut body, |out| {
            json::encode(known.schema(), method.input, text, Unknown::Refuse, out)
        })
        .map_err(|mismatch| missed(Reason::Unfit, mismatch.to_string()))?;
        Ok(Begun {
            known,
            method,
            style: self.style,
            body: body.into(),
        })
    }
}

/// What tells the service that a request is a call (gRPC over HTTP/2, "Requests").
pub(super) fn set(headers: &mut HeaderMap) {
    headers.remove(header::ACCEPT);
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, grpc);
    let encodings = HeaderValue::from_static("identity,gzip");
    headers.insert(HeaderName::from_static("grpc-accept-encoding"), encodings);
}

impl Begun {
    /// What came of the call: JSON where it went well, or how it ended.
    pub(super) fn ended(&self, reply: lintel_upstream::Reply, max: usize) -> Result<Reply, Missed> {
        let (endpoint, attempts) = (reply.endpoint, reply.attempts);
        self.read(reply, max).map_err(|missed| Missed {
            endpoint,
            attempts,
            ..missed
        })
    }

    fn read(&self, reply: lintel_upstream::Reply, max: usize) -> Result<Reply, Missed> {
        let head = reply.head;
        let media = head.headers.get(header::CONTENT_TYPE);
        let is_grpc = media.is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"));
        if head.status != StatusCode::OK || !is_grpc {
            let status = head.status.as_u16();
            let cause = format!("the answer is not one of gRPC; its status is {status}");
            return Err(missed(Reason::NotGrpc, cause));
        }
        let ended = Status::of(&reply.trailers).or_else(|| Status::of(&head.headers));
        let Some(ended) = ended else {
            return Err(missed(Reason::NotGrpc, "the call ended without a status"));
        };
        let body = match ended.code {
            GrpcCode::Ok => self.json(&head.headers, &reply.body, max)?,
            _ => Bytes::new(),
        };
        let mut headers = head.headers;
        metadata(&mut headers, reply.trailers);
        Ok(Reply {
            status: status::http_status(ended.code),
            headers,
            body,
            call: Some(CallEnd {
                code: ended.code,
                name: status::name(ended.code),
            }),
            endpoint: reply.endpoint,
            attempts: reply.attempts,
        })
    }

    /// The one message of an answer as JSON.
    fn json(&self, headers: &HeaderMap, body: &Bytes, max: usize) -> Result<Bytes, Missed> {
        let name = headers.get("grpc-encoding").map(HeaderValue::as_bytes);
        let encoding = Encoding::of(name).ok_or_else(|| {
            missed(
                Reason::NotGrpc,
                "the answer is compressed in an unknown way",
            )
        })?;
        let mut reader = Messages::new(encoding, max);
        reader.push(body);
        let message = reader.take().map_err(unread)?;
        let message =
            message.ok_or_else(|| missed(Reason::NotGrpc, "the answer has no message"))?;
        if reader.take().map_err(unread)?.is_some() {
            let cause = "the answer has several messages";
            return Err(missed(Reason::NotGrpc, cause));
        }
        reader.end().map_err(unread)?;
        let mut text = Vec::with_capacity(message.len() * 2 + 64);
        let (schema, output) = (self.known.schema(), self.method.output);
        json::decode(schema, output, &message, self.style, &mut text)
            .map_err(|error| missed(Reason::NotGrpc, error.to_string()))?;
        Ok(text.into())
    }
}

fn unread(error: FrameError) -> Missed {
    let reason = match error {
        FrameError::TooLarge => Reason::TooLarge,
        _ => Reason::NotGrpc,
    };
    missed(reason, error.to_string())
}

fn missed(reason: Reason, cause: impl Into<String>) -> Missed {
    Missed {
        reason,
        cause: cause.into(),
        endpoint: None,
        attempts: 0,
    }
}
