//! How requests and answers are refused.

use http::{HeaderValue, StatusCode, header};
use lintel_http::BodyError;
use lintel_kernel::{Rejection, Side};

use super::{Language, NAME};

/// The media type of a body is none of those that are translated (RFC 9110 §15.5.16).
pub(super) fn unsupported(service: Language) -> Rejection {
    let (detail, accept) = match service {
        Language::Xml => ("The body has to be JSON.", "application/json"),
        Language::Json => ("The body has to be XML.", "application/xml, text/xml"),
    };
    Rejection::new(
        NAME,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    )
    .with_header(header::ACCEPT, HeaderValue::from_static(accept))
}

/// The body is compressed (RFC 9110 §12.5.3).
pub(super) fn encoded() -> Rejection {
    Rejection::new(
        NAME,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "The body must not be compressed.",
    )
    .with_header(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    )
}

pub(super) const TOO_LARGE: Rejection = Rejection::new(
    NAME,
    StatusCode::PAYLOAD_TOO_LARGE,
    "body_too_large",
    "The request body is larger than can be translated.",
);

/// The body can't be translated; the client may know why.
pub(super) const UNFIT: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_REQUEST,
    "body_unfit",
    "The request body can't be translated.",
);

/// An expression of the configuration has no value, or one that can't stand where it is to.
pub(super) const NO_VALUE: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_REQUEST,
    "value_missing",
    "The request lacks a value that the service must be told.",
);

/// The answer can't be translated; why is logged.
pub(super) const ANSWER_UNFIT: Rejection = Rejection::new(
    NAME,
    StatusCode::BAD_GATEWAY,
    "answer_unfit",
    "The service gave an answer that can't be translated.",
);

/// A body that could not be read to its end.
pub(super) fn broken(error: &BodyError) -> Rejection {
    let (code, detail) = match error.facts.side {
        Side::Upstream => (
            "answer_incomplete",
            "The answer could not be read to its end.",
        ),
        _ => (
            "body_incomplete",
            "The request could not be read to its end.",
        ),
    };
    Rejection::new(NAME, error.facts.status(), code, detail)
}
