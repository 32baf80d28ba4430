//! Request heads (RFC 9112 §3).

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use super::fields::{self, Fields, Spans, Transfer};
use super::{HeadLimits, MAX_FIELDS, Scan, host};
use crate::error::Refusal;

/// A request head that obeys every rule of RFC 9112.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// Origin-form (path and query), `*`, or authority-form for CONNECT.
    pub(crate) uri: Uri,
    /// The scheme, if the target came in absolute-form.
    pub(crate) scheme: Option<Scheme>,
    pub(crate) version_1_0: bool,
    pub(crate) fields: Fields,
    /// Bytes of the head.
    pub(crate) len: usize,
}

/// Empty lines tolerated before a request line (RFC 9112 §2.2).
const MAX_EMPTY_LINES: usize = 4;
const PREFACE_START: &[u8] = b"PRI * HTTP/2.0\r\n";

struct Start {
    method: Method,
    target: (usize, usize),
    version_1_0: bool,
    len: usize,
}

enum Tokens {
    Complete(Start),
    Partial,
    Version,
}

/// Takes one request head off the front of `buffer`, where one that is refused stays.
pub(crate) fn parse_request(
    buffer: &mut BytesMut,
    scan: &mut Scan,
    limits: &HeadLimits,
) -> Result<Option<RequestHead>, ParseStop> {
    skip_empty_lines(buffer, scan)?;
    if buffer.is_empty() || !scan.may_be_complete(buffer) {
        check_partial(buffer, limits)?;
        return Ok(None);
    }
    let mut spans = Spans::new();
    let start = match tokenise(buffer, limits, &mut spans)? {
        Tokens::Complete(start) => start,
        Tokens::Partial => {
            check_partial(buffer, limits)?;
            scan.partial(buffer);
            return Ok(None);
        }
        Tokens::Version => {
            later_minor_version(buffer)?;
            match tokenise(buffer, limits, &mut spans)? {
                Tokens::Complete(start) => start,
                Tokens::Partial => return Ok(None),
                Tokens::Version => return Err(unsupported_version().into()),
            }
        }
    };
    scan.reset();
    let len = start.len;
    let head = buffer.split_to(len).freeze();
    assemble(start, &spans, &head).map(Some).map_err(|refusal| {
        // Put back for whoever tells what was refused.
        let rest = std::mem::replace(buffer, BytesMut::from(head));
        buffer.unsplit(rest);
        ParseStop::Refused(refusal)
    })
}

/// Why no request came out of the bytes.
#[derive(Debug)]
pub(crate) enum ParseStop {
    Refused(Refusal),
    /// The connection preface of HTTP/2 (RFC 9113 §3.4); nothing was consumed.
    Http2,
}

impl From<Refusal> for ParseStop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn skip_empty_lines(buffer: &mut BytesMut, scan: &mut Scan) -> Result<(), Refusal> {
    if !matches!(buffer.first(), Some(b'\r' | b'\n')) {
        return Ok(());
    }
    for _ in 0..MAX_EMPTY_LINES {
        match buffer.as_ref() {
            [b'\r', b'\n', ..] => buffer.advance(2),
            [b'\r'] => break,
            [b'\r' | b'\n', ..] => {
                return Err(Refusal::bad(
                    "bare CR or LF before the request line",
                    "RFC 9112 §2.2",
                ));
            }
            _ => break,
        }
    }
    scan.reset();
    match buffer.as_ref() {
        [b'\r', b'\n', ..] => Err(Refusal::bad(
            "too many empty lines before the request line",
            "RFC 9112 §2.2",
        )),
        _ => Ok(()),
    }
}

fn tokenise(buffer: &BytesMut, limits: &HeadLimits, spans: &mut Spans) -> Result<Tokens, Refusal> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let slots = slots
        .get_mut(..limits.fields.min(MAX_FIELDS))
        .unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(buffer, slots) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(Tokens::Partial),
        Err(httparse::Error::Version) => return Ok(Tokens::Version),
        Err(error) => return Err(refusal_of(error, buffer)),
    };
    let head = buffer.get(..len).unwrap_or_default();
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(Refusal::bad("malformed request line", "RFC 9112 §3"));
    };
    let offset = target.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    if target.len() > limits.target {
        return Err(target_too_long());
    }
    if len > limits.bytes {
        return Err(head_too_large());
    }
    fields::locate(head, request.headers, spans)?;
    Ok(Tokens::Complete(Start {
        method: Method::from_bytes(method.as_bytes())
            .map_err(|_| Refusal::bad("malformed method", "RFC 9110 §9.1"))?,
        target: (offset, offset + target.len()),
        version_1_0: version == 0,
        len,
    }))
}

fn refusal_of(error: httparse::Error, buffer: &[u8]) -> Refusal {
    let in_request_line = memchr::memchr(b'\n', buffer).is_none();
    match error {
        httparse::Error::HeaderName => Refusal::bad("malformed field name", "RFC 9112 §5.1"),
        httparse::Error::HeaderValue => Refusal::bad("malformed field value", "RFC 9110 §5.5"),
        httparse::Error::NewLine if !in_request_line => Refusal::bad("bare CR", "RFC 9112 §2.2"),
        httparse::Error::TooManyHeaders => Refusal::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too many header fields",
            "RFC 6585 §5",
        ),
        _ => Refusal::bad("malformed request line", "RFC 9112 §3"),
    }
}

/// Limits that can be judged before the head is complete, and so must be.
fn check_partial(buffer: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
    /// Room for the longest registered method, the version and the spaces between.
    const AROUND_TARGET: usize = 64;
    if buffer.len() > limits.target + AROUND_TARGET
        && buffer
            .get(..limits.target + AROUND_TARGET)
            .is_some_and(|line| memchr::memchr(b'\n', line).is_none())
    {
        return Err(target_too_long());
    }
    if buffer.len() > limits.bytes {
        Err(head_too_large())
    } else {
        Ok(())
    }
}

fn target_too_long() -> Refusal {
    Refusal::new(
        StatusCode::URI_TOO_LONG,
        "request target too long",
        "RFC 9112 §3",
    )
}

fn head_too_large() -> Refusal {
    Refusal::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "request head too large",
        "RFC 6585 §5",
    )
}

fn unsupported_version() -> Refusal {
    Refusal::new(
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        "HTTP version not supported",
        "RFC 9110 §15.6.6",
    )
}

/// A later minor version of HTTP/1 is processed as 1.1 (RFC 9110 §2.5): rewrites the digit. Anything else is refused.
fn later_minor_version(buffer: &mut BytesMut) -> Result<(), ParseStop> {
    if buffer.starts_with(PREFACE_START) || PREFACE_START.starts_with(buffer) {
        return Err(ParseStop::Http2);
    }
    let end = memchr::memchr(b'\n', buffer).unwrap_or(buffer.len());
    let line = buffer.get_mut(..end).unwrap_or_default();
    let end = line.len() - usize::from(line.ends_with(b"\r"));
    let start = memchr::memrchr(b' ', line).map_or(0, |at| at + 1);
    match line.get_mut(start..end) {
        Some(
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                minor @ b'2'..=b'9',
            ],
        ) => {
            *minor = b'1';
            Ok(())
        }
        Some(
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'0' | b'2'..=b'9',
                b'.',
                b'0'..=b'9',
            ],
        ) => Err(unsupported_version().into()),
        _ => Err(Refusal::bad("malformed HTTP version", "RFC 9112 §2.3").into()),
    }
}

fn assemble(start: Start, spans: &Spans, head: &Bytes) -> Result<RequestHead, Refusal> {
    let mut fields = Fields::build(head, spans)?;
    fields.check_framing(start.version_1_0)?;
    check_host(&fields, start.version_1_0)?;
    if fields.expect == Some(false) && !start.version_1_0 {
        return Err(Refusal::new(
            StatusCode::EXPECTATION_FAILED,
            "unknown expectation",
            "RFC 9110 §10.1.1",
        ));
    }
    if start.version_1_0 {
        // Neither Upgrade nor 100-continue exists there (RFC 9110 §7.8, §10.1.1).
        fields.upgrade = None;
        fields.expect = None;
    }
    let target = head.slice(start.target.0..start.target.1);
    let (uri, scheme) = match target.first() {
        Some(b'/') => (origin_form(target)?, None),
        Some(b'*') if target.len() == 1 && start.method == Method::OPTIONS => (asterisk(), None),
        _ if start.method == Method::CONNECT => (authority_form(target)?, None),
        _ => absolute_form(target, &start.method, &mut fields)?,
    };
    if start.method == Method::CONNECT && uri.authority().is_none() {
        return Err(Refusal::bad(
            "CONNECT without authority-form",
            "RFC 9112 §3.2.3",
        ));
    }
    Ok(RequestHead {
        method: start.method,
        uri,
        scheme,
        version_1_0: start.version_1_0,
        fields,
        len: start.len,
    })
}

/// Exactly one valid `Host`; HTTP/1.0 may leave it out (RFC 9112 §3.2).
fn check_host(fields: &Fields, version_1_0: bool) -> Result<(), Refusal> {
    match fields.hosts {
        0 if version_1_0 => Ok(()),
        0 => Err(Refusal::bad("missing Host", "RFC 9112 §3.2")),
        1 if fields.host_valid => Ok(()),
        1 => Err(Refusal::bad("invalid Host", "RFC 9112 §3.2")),
        _ => Err(Refusal::bad("more than one Host", "RFC 9112 §3.2")),
    }
}

/// The URI grammar knows neither bytes beyond ASCII nor, in a request target, a fragment (RFC 9112 §3.2.1).
fn origin_form(target: Bytes) -> Result<Uri, Refusal> {
    const BAD: Refusal = Refusal::bad("malformed request target", "RFC 9112 §3.2");
    let len = target.len();
    if !target.is_ascii() {
        return Err(BAD);
    }
    let path = PathAndQuery::from_maybe_shared(target).map_err(|_| BAD)?;
    if path.as_str().len() != len {
        return Err(BAD);
    }
    Ok(Uri::from(path))
}

fn asterisk() -> Uri {
    Uri::from(PathAndQuery::from_static("*"))
}

fn authority_form(target: Bytes) -> Result<Uri, Refusal> {
    const BAD: Refusal = Refusal::bad("malformed authority-form", "RFC 9112 §3.2.3");
    if !host::is_valid(&target) {
        return Err(BAD);
    }
    let authority = Authority::from_maybe_shared(target).map_err(|_| BAD)?;
    if authority.port_u16().is_none() {
        return Err(BAD);
    }
    Ok(Uri::from(authority))
}

/// The authority of an absolute-form target replaces `Host` (RFC 9112 §3.2.2); the rest becomes origin-form.
fn absolute_form(
    target: Bytes,
    method: &Method,
    fields: &mut Fields,
) -> Result<(Uri, Option<Scheme>), Refusal> {
    const BAD: Refusal = Refusal::bad("malformed request target", "RFC 9112 §3.2");
    if !target.is_ascii() || target.contains(&b'#') {
        return Err(BAD);
    }
    let len = target.len();
    let parts = Uri::from_maybe_shared(target)
        .map_err(|_| BAD)?
        .into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(BAD);
    };
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return Err(Refusal::bad(
            "request target with a scheme other than http and https",
            "RFC 9112 §3.2.2",
        ));
    }
    if !host::is_valid(authority.as_str().as_bytes()) {
        return Err(Refusal::bad(
            "invalid authority in the request target",
            "RFC 9110 §4.2.4",
        ));
    }
    let value = HeaderValue::from_str(authority.as_str()).map_err(|_| BAD)?;
    fields.headers.insert(header::HOST, value);
    // An empty path: `*` for OPTIONS (RFC 9112 §3.2.4), `/` otherwise (§3.2.1).
    let bare = len == scheme.as_str().len() + "://".len() + authority.as_str().len();
    let uri = match parts.path_and_query {
        _ if bare && method == Method::OPTIONS => asterisk(),
        Some(path) if !bare => with_slash(path)?,
        _ => Uri::from(PathAndQuery::from_static("/")),
    };
    Ok((uri, Some(scheme)))
}

/// `http://host?query` has an empty path, which origin-form writes as `/`.
fn with_slash(path: PathAndQuery) -> Result<Uri, Refusal> {
    if path.as_str().starts_with('/') {
        return Ok(Uri::from(path));
    }
    let query = path.query().unwrap_or_default();
    PathAndQuery::try_from(format!("/?{query}"))
        .map(Uri::from)
        .map_err(|_| Refusal::bad("malformed request target", "RFC 9112 §3.2"))
}

impl RequestHead {
    /// Body length by RFC 9112 §6.3: chunked, declared, or none.
    pub(crate) fn is_chunked(&self) -> bool {
        self.fields.transfer == Transfer::Chunked
    }

    /// Whether the client wants the connection to persist (RFC 9112 §9.3).
    pub(crate) fn keep_alive(&self) -> bool {
        let connection = &self.fields.connection;
        !connection.close && (!self.version_1_0 || connection.keep_alive)
    }
}
