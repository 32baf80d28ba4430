//! Response heads (RFC 9112 §4).

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::fields::{self, Fields, Spans, Transfer};
use super::{HeadLimits, MAX_FIELDS, Scan};
use crate::error::{Refusal, Violation};

/// A response head that obeys RFC 9112.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) version_1_0: bool,
    pub(crate) fields: Fields,
}

/// Why no response came out of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseFlaw {
    Bad(Violation),
    TooLarge,
}

impl From<Refusal> for ResponseFlaw {
    fn from(refusal: Refusal) -> Self {
        if refusal.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
            Self::TooLarge
        } else {
            Self::Bad(refusal.violation())
        }
    }
}

const BAD_STATUS_LINE: Refusal = Refusal::bad("malformed status line", "RFC 9112 §4");

struct Start {
    status: StatusCode,
    version_1_0: bool,
    len: usize,
}

enum Tokens {
    Complete(Start),
    Partial,
    Version,
}

/// Takes one response head off the front of `buffer`.
pub(crate) fn parse_response(
    buffer: &mut BytesMut,
    scan: &mut Scan,
    limits: &HeadLimits,
) -> Result<Option<ResponseHead>, ResponseFlaw> {
    if !scan.may_be_complete(buffer) {
        return partial(buffer, scan, limits);
    }
    // The tokeniser skips empty lines; before a status line there are none (RFC 9112 §4).
    if matches!(buffer.first(), Some(b'\r' | b'\n')) {
        return Err(BAD_STATUS_LINE.into());
    }
    let mut spans = Spans::new();
    let mut tokens = tokenise(buffer, limits, &mut spans)?;
    if matches!(tokens, Tokens::Version) {
        later_minor_version(buffer)?;
        tokens = tokenise(buffer, limits, &mut spans)?;
    }
    let start = match tokens {
        Tokens::Complete(start) => start,
        Tokens::Partial => return partial(buffer, scan, limits),
        Tokens::Version => return Err(BAD_STATUS_LINE.into()),
    };
    scan.reset();
    let head = buffer.split_to(start.len).freeze();
    Ok(Some(assemble(&start, &spans, &head)?))
}

fn partial(
    buffer: &BytesMut,
    scan: &mut Scan,
    limits: &HeadLimits,
) -> Result<Option<ResponseHead>, ResponseFlaw> {
    if buffer.len() > limits.bytes {
        return Err(ResponseFlaw::TooLarge);
    }
    scan.partial(buffer);
    Ok(None)
}

fn tokenise(buffer: &BytesMut, limits: &HeadLimits, spans: &mut Spans) -> Result<Tokens, Refusal> {
    const TOO_LARGE: Refusal = Refusal::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "response head too large",
        "RFC 9110 §5.4",
    );
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let slots = slots
        .get_mut(..limits.fields.min(MAX_FIELDS))
        .unwrap_or_default();
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut response, buffer, slots) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(Tokens::Partial),
        Err(httparse::Error::Version) => return Ok(Tokens::Version),
        Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Err(httparse::Error::HeaderName) => {
            return Err(Refusal::bad("malformed field name", "RFC 9112 §5.1"));
        }
        Err(httparse::Error::HeaderValue) => {
            return Err(Refusal::bad("malformed field value", "RFC 9110 §5.5"));
        }
        Err(_) => return Err(BAD_STATUS_LINE),
    };
    if len > limits.bytes {
        return Err(TOO_LARGE);
    }
    let head = buffer.get(..len).unwrap_or_default();
    let (Some(code), Some(version)) = (response.code, response.version) else {
        return Err(BAD_STATUS_LINE);
    };
    fields::locate(head, response.headers, spans)?;
    Ok(Tokens::Complete(Start {
        // Codes beyond 599 are invalid (RFC 9110 §15).
        status: StatusCode::from_u16(code)
            .ok()
            .filter(|status| status.as_u16() < 600)
            .ok_or(BAD_STATUS_LINE)?,
        version_1_0: version == 0,
        len,
    }))
}

/// A later minor version of HTTP/1 is processed as 1.1 (RFC 9110 §2.5).
fn later_minor_version(buffer: &mut BytesMut) -> Result<(), Refusal> {
    match buffer.as_mut() {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ b'2'..=b'9',
            b' ',
            ..,
        ] => {
            *minor = b'1';
            Ok(())
        }
        _ => Err(Refusal::bad("not an HTTP/1 response", "RFC 9112 §2.3")),
    }
}

fn assemble(start: &Start, spans: &Spans, head: &Bytes) -> Result<ResponseHead, Refusal> {
    let fields = Fields::build(head, spans)?;
    fields.check_framing(start.version_1_0)?;
    Ok(ResponseHead {
        status: start.status,
        version_1_0: start.version_1_0,
        fields,
    })
}

impl ResponseHead {
    pub(crate) fn is_chunked(&self) -> bool {
        self.fields.transfer == Transfer::Chunked
    }

    /// Whether the connection persists after this message (RFC 9112 §9.3).
    pub(crate) fn keep_alive(&self) -> bool {
        let connection = &self.fields.connection;
        !connection.close && (!self.version_1_0 || connection.keep_alive)
    }
}
