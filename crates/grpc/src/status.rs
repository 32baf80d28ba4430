//! The status that a call ends with, and what it is over HTTP.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lintel_kernel::GrpcCode;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use crate::{
    json,
    transcoder::Transcoder,
    wire::{Fields, Raw},
};

/// The field of the code.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The field of the message, percent-encoded.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The field of the details.
pub const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Base64 of `-bin` fields, with padding or without it.
const BASE64: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// What a message can't have as it is: everything but space to `~`, and the percent sign.
const UNPRINTABLE: AsciiSet = CONTROLS.add(b'%');

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code. One that there is not counts as unknown.
    pub code: GrpcCode,
    /// What the service says of it, for the client.
    pub message: String,
    /// A `google.rpc.Status` in the wire format, where the service sent one.
    pub details: Vec<u8>,
}

impl Status {
    /// The status in trailers, or in the head of an answer that has nothing else. `None` where
    /// there is none.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let code = fields.get(STATUS)?;
        let number = code.to_str().ok().and_then(|text| text.parse().ok());
        let message = fields.get(MESSAGE).map(|message| {
            // "Percent-Encoded" of the specification; what is wrong in it stays as it is.
            let decoded = percent_decode(message.as_bytes());
            decoded.decode_utf8_lossy().into_owned()
        });
        let details = fields.get(DETAILS);
        let details = details.and_then(|details| BASE64.decode(details.as_bytes()).ok());
        Some(Self {
            code: number.map_or(GrpcCode::Unknown, code_of),
            message: message.unwrap_or_default(),
            details: details.unwrap_or_default(),
        })
    }

    /// A status without details.
    pub fn new(code: GrpcCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// That all is well.
    pub fn ok() -> Self {
        Self::new(GrpcCode::Ok, "")
    }

    /// With details that are written as JSON: an array of objects with `@type`. What the
    /// transcoder's descriptors don't know is left out with all of them.
    #[must_use]
    pub fn with_details(mut self, transcoder: &Transcoder, details: &serde_json::Value) -> Self {
        let Some(id) = transcoder.status() else {
            return self;
        };
        let all = serde_json::json!({
            "code": self.code as u8,
            "message": self.message,
            "details": details,
        });
        let mut out = Vec::new();
        let ignore = json::Unknown::Ignore;
        let written = json::encode(transcoder.schema(), id, &all.to_string(), ignore, &mut out);
        if written.is_ok() {
            self.details = out;
        }
        self
    }

    /// The fields that end a call.
    pub fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(STATUS, HeaderValue::from(self.code as u16));
        if let Some(message) = self.message_field() {
            fields.insert(MESSAGE, message);
        }
        let details = (!self.details.is_empty()).then(|| STANDARD_NO_PAD.encode(&self.details));
        if let Some(Ok(details)) = details.map(HeaderValue::try_from) {
            fields.insert(DETAILS, details);
        }
        fields
    }

    /// The message as its field has it ("Percent-Encoded" of the specification). None where there is
    /// none.
    fn message_field(&self) -> Option<HeaderValue> {
        if self.message.is_empty() {
            return None;
        }
        let encoded = percent_encode(self.message.as_bytes(), &UNPRINTABLE).to_string();
        HeaderValue::from_str(&encoded).ok()
    }

    /// Writes the details as a JSON array, each an object with `@type`. Nothing is written where
    /// there are none, or where they are no details.
    pub fn write_details(&self, transcoder: &Transcoder, out: &mut Vec<u8>) {
        let begin = out.len();
        let Some(status) = transcoder.status() else {
            return;
        };
        let schema = transcoder.schema();
        let Some((_, details)) = schema.message(status).numbered(3) else {
            return;
        };
        let crate::schema::Kind::Message(any) = details.kind else {
            return;
        };
        let mut fields = Fields(&self.details);
        out.push(b'[');
        loop {
            match fields.next() {
                Ok(None) => break,
                Ok(Some((3, Raw::Bytes(detail)))) => {
                    if out.len() > begin + 1 {
                        out.push(b',');
                    }
                    if json::decode_detail(schema, any, detail, out).is_err() {
                        out.truncate(begin);
                        return;
                    }
                }
                Ok(Some(_)) => {}
                Err(_) => {
                    out.truncate(begin);
                    return;
                }
            }
        }
        if out.len() == begin + 1 {
            out.truncate(begin);
            return;
        }
        out.push(b']');
    }
}

/// The code of a number.
pub const fn code_of(number: u8) -> GrpcCode {
    match number {
        0 => GrpcCode::Ok,
        1 => GrpcCode::Cancelled,
        3 => GrpcCode::InvalidArgument,
        4 => GrpcCode::DeadlineExceeded,
        5 => GrpcCode::NotFound,
        6 => GrpcCode::AlreadyExists,
        7 => GrpcCode::PermissionDenied,
        8 => GrpcCode::ResourceExhausted,
        9 => GrpcCode::FailedPrecondition,
        10 => GrpcCode::Aborted,
        11 => GrpcCode::OutOfRange,
        12 => GrpcCode::Unimplemented,
        13 => GrpcCode::Internal,
        14 => GrpcCode::Unavailable,
        15 => GrpcCode::DataLoss,
        16 => GrpcCode::Unauthenticated,
        _ => GrpcCode::Unknown,
    }
}

/// Every code.
pub fn codes() -> impl Iterator<Item = GrpcCode> {
    (0..=16).map(code_of)
}

/// The HTTP status of a code (google/rpc/code.proto, "HTTP Mapping").
pub fn http_status(code: GrpcCode) -> StatusCode {
    match code {
        GrpcCode::Ok => StatusCode::OK,
        GrpcCode::Cancelled => {
            // "Client Closed Request", as NGINX has it; there is no name for it.
            StatusCode::from_u16(499).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        GrpcCode::InvalidArgument | GrpcCode::FailedPrecondition | GrpcCode::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        GrpcCode::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        GrpcCode::NotFound => StatusCode::NOT_FOUND,
        GrpcCode::AlreadyExists | GrpcCode::Aborted => StatusCode::CONFLICT,
        GrpcCode::PermissionDenied => StatusCode::FORBIDDEN,
        GrpcCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        GrpcCode::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        GrpcCode::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        GrpcCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        GrpcCode::Unknown | GrpcCode::Internal | GrpcCode::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The code in snake_case, as problem details have it.
pub const fn name(code: GrpcCode) -> &'static str {
    match code {
        GrpcCode::Ok => "ok",
        GrpcCode::Cancelled => "cancelled",
        GrpcCode::Unknown => "unknown",
        GrpcCode::InvalidArgument => "invalid_argument",
        GrpcCode::DeadlineExceeded => "deadline_exceeded",
        GrpcCode::NotFound => "not_found",
        GrpcCode::AlreadyExists => "already_exists",
        GrpcCode::PermissionDenied => "permission_denied",
        GrpcCode::ResourceExhausted => "resource_exhausted",
        GrpcCode::FailedPrecondition => "failed_precondition",
        GrpcCode::Aborted => "aborted",
        GrpcCode::OutOfRange => "out_of_range",
        GrpcCode::Unimplemented => "unimplemented",
        GrpcCode::Internal => "internal",
        GrpcCode::Unavailable => "unavailable",
        GrpcCode::DataLoss => "data_loss",
        GrpcCode::Unauthenticated => "unauthenticated",
    }
}

/// The code of a REST service's status: the other way round than [`http_status`], as far as that
/// goes, for a service that knows nothing of gRPC.
pub const fn of_rest(status: StatusCode) -> GrpcCode {
    match status.as_u16() {
        400 | 411 | 413..=415 | 422 | 431 => GrpcCode::InvalidArgument,
        401 => GrpcCode::Unauthenticated,
        403 => GrpcCode::PermissionDenied,
        404 | 410 => GrpcCode::NotFound,
        405 | 501 => GrpcCode::Unimplemented,
        408 | 504 => GrpcCode::DeadlineExceeded,
        409 => GrpcCode::Aborted,
        412 | 428 => GrpcCode::FailedPrecondition,
        416 => GrpcCode::OutOfRange,
        429 => GrpcCode::ResourceExhausted,
        499 => GrpcCode::Cancelled,
        500 => GrpcCode::Internal,
        502 | 503 => GrpcCode::Unavailable,
        _ => GrpcCode::Unknown,
    }
}

/// What a call has come to whose answer is not one of gRPC, by its HTTP status (gRPC, "HTTP to gRPC
/// Status Code Mapping").
pub const fn of_http(status: StatusCode) -> GrpcCode {
    match status.as_u16() {
        400 => GrpcCode::Internal,
        401 => GrpcCode::Unauthenticated,
        403 => GrpcCode::PermissionDenied,
        404 => GrpcCode::Unimplemented,
        429 | 502 | 503 | 504 => GrpcCode::Unavailable,
        _ => GrpcCode::Unknown,
    }
}
