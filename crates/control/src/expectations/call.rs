//! The gRPC side of the stand-in: calls that the gateway makes of requests are read, and answered,
//! as JSON.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use lintel_config::model::{SampleAnswer, SampleStatus};
use lintel_grpc::{
    Method, Transcoder,
    frame::{self, Encoding, Messages},
    json::{self, Style, Unknown},
    status::Status,
};
use lintel_kernel::GrpcCode;

/// A call of a method that a route's descriptors have.
pub(super) struct SeenCall {
    transcoder: Arc<Transcoder>,
    method: Arc<Method>,
}

/// What a call is answered with.
pub(super) struct CallAnswer {
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl SeenCall {
    /// The call that a request is; none where it is not gRPC, or nobody knows the method.
    pub(super) fn of(all: &[Arc<Transcoder>], path: &str, headers: &HeaderMap) -> Option<Self> {
        let media = headers.get(header::CONTENT_TYPE)?.as_bytes();
        if !media.starts_with(b"application/grpc") || media.starts_with(b"application/grpc-web") {
            return None;
        }
        all.iter().find_map(|transcoder| {
            Some(Self {
                method: Arc::clone(transcoder.method_at(path)?),
                transcoder: Arc::clone(transcoder),
            })
        })
    }

    /// The messages of the call as JSON, one a line. None where they are no such messages.
    pub(super) fn shown(&self, body: &Bytes) -> Option<Bytes> {
        let schema = self.transcoder.schema();
        let mut reader = Messages::new(Encoding::Identity, body.len());
        reader.push(body);
        let mut out = Vec::new();
        while let Some(message) = reader.take().ok()? {
            if !out.is_empty() {
                out.push(b'\n');
            }
            let style = Style::default();
            json::decode(schema, self.method.input, &message, style, &mut out).ok()?;
        }
        reader.end().ok()?;
        Some(Bytes::from(out))
    }

    /// The answer that the configuration writes as JSON: one message, or one a line where the method
    /// answers with a stream.
    ///
    /// # Errors
    /// The text is not that; a sentence says where.
    pub(super) fn answer(&self, sample: &SampleAnswer) -> Result<CallAnswer, String> {
        let mut body = BytesMut::new();
        let end = sample.grpc.as_ref();
        let failed = end.is_some_and(|end| end.status.0 != GrpcCode::Ok);
        let text = sample.body.as_str();
        if self.method.server_streaming {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                body.extend_from_slice(&self.message(line)?);
            }
        } else if !failed {
            body.extend_from_slice(&self.message(text)?);
        }
        Ok(CallAnswer {
            body: body.freeze(),
            trailers: trailers(end),
        })
    }

    fn message(&self, text: &str) -> Result<Vec<u8>, String> {
        let schema = self.transcoder.schema();
        let text = if text.trim().is_empty() { "{}" } else { text };
        let mut out = Vec::new();
        let written = frame::framed(&mut out, |out| {
            json::encode(schema, self.method.output, text, Unknown::Refuse, out)
        });
        let name = &schema.message(self.method.output).name;
        match written {
            Ok(()) => Ok(out),
            Err(wrong) => Err(format!("no `{name}`: {}", wrong.describe(text))),
        }
    }
}

fn trailers(end: Option<&SampleStatus>) -> HeaderMap {
    let status = end.map_or_else(Status::ok, |end| {
        Status::new(end.status.0, end.message.clone())
    });
    status.fields()
}
