//! Writing heads. Field names go out in lower case, which HTTP/1 allows (RFC 9110 §5.1).

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

/// Facts of the message being written that replace what the header map may say about them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// Value of `Connection`.
    pub(crate) connection: Option<&'static str>,
    /// Value of `Upgrade`.
    pub(crate) upgrade: Option<&'a HeaderValue>,
    /// `Content-Length` to write.
    pub(crate) length: Option<u64>,
    /// Write `Transfer-Encoding: chunked`.
    pub(crate) chunked: bool,
    /// Write `TE: trailers`.
    pub(crate) te_trailers: bool,
    /// Write `Expect: 100-continue`.
    pub(crate) expect: bool,
    /// `Host` was written already.
    pub(crate) skip_host: bool,
}

pub(crate) fn encode_status_line(out: &mut Vec<u8>, status: StatusCode) {
    match status.as_u16() {
        200 => out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
        204 => out.extend_from_slice(b"HTTP/1.1 204 No Content\r\n"),
        304 => out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\n"),
        404 => out.extend_from_slice(b"HTTP/1.1 404 Not Found\r\n"),
        _ => {
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Request line and `Host` (first, RFC 9110 §7.2). The target is written in origin-form, as `*`, or in authority-form for CONNECT
/// (RFC 9112 §3.2). `Host` is the field of that name, or the authority of the URI, or empty (§3.2).
pub(crate) fn encode_request_line(
    out: &mut Vec<u8>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    match uri.path_and_query().map(http::uri::PathAndQuery::as_str) {
        _ if *method == Method::CONNECT => out.extend_from_slice(authority.as_bytes()),
        None | Some("") => out.push(b'/'),
        Some(target) => {
            if !target.starts_with(['/', '*']) {
                out.push(b'/');
            }
            out.extend_from_slice(target.as_bytes());
        }
    }
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    let host = headers
        .get(header::HOST)
        .map_or(authority.as_bytes(), HeaderValue::as_bytes);
    out.extend_from_slice(host);
    out.extend_from_slice(b"\r\n");
}

/// All fields, the codec's own among them, and the empty line. Hop-by-hop fields in the map are not written (RFC 9110 §7.6.1).
pub(crate) fn encode_fields(out: &mut Vec<u8>, headers: &HeaderMap, facts: Outgoing<'_>) {
    for (name, value) in headers {
        if is_end_to_end(name.as_str(), facts) {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    if let Some(length) = facts.length {
        line(
            out,
            "content-length",
            itoa::Buffer::new().format(length).as_bytes(),
        );
    }
    if facts.chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if facts.te_trailers {
        out.extend_from_slice(b"te: trailers\r\n");
    }
    if facts.expect {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    if let Some(options) = facts.connection {
        line(out, "connection", options.as_bytes());
    }
    if let Some(protocol) = facts.upgrade {
        line(out, "upgrade", protocol.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// An interim response (RFC 9110 §15.2): no framing fields, no connection options.
pub(crate) fn encode_interim(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    encode_status_line(out, status);
    encode_fields(out, headers, Outgoing::default());
}

#[inline]
fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a field of the map is written as it is; those that aren't are dropped or made anew from the facts.
#[inline]
fn is_end_to_end(name: &str, facts: Outgoing<'_>) -> bool {
    match name.len() {
        2 => name != "te",
        4 => !facts.skip_host || name != "host",
        6 => name != "expect",
        // Only a chunked message has trailers to announce.
        7 => name != "upgrade" && (facts.chunked || name != "trailer"),
        10 => name != "connection" && name != "keep-alive",
        14 => name != "content-length",
        16 => name != "proxy-connection",
        17 => name != "transfer-encoding",
        _ => true,
    }
}

/// Fields that must not be taken from or sent in a trailer section: framing, routing, request modifiers, authentication and
/// content description (RFC 9110 §6.5.1, the list of RFC 7230 §4.1.2).
pub(crate) fn is_forbidden_trailer(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "transfer-encoding"
            | "content-length"
            | "host"
            | "trailer"
            | "te"
            | "connection"
            | "keep-alive"
            | "proxy-connection"
            | "upgrade"
            | "cache-control"
            | "expect"
            | "max-forwards"
            | "pragma"
            | "range"
            | "if-match"
            | "if-none-match"
            | "if-modified-since"
            | "if-unmodified-since"
            | "if-range"
            | "authorization"
            | "proxy-authorization"
            | "www-authenticate"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "authentication-info"
            | "cookie"
            | "set-cookie"
            | "age"
            | "date"
            | "expires"
            | "location"
            | "retry-after"
            | "vary"
            | "warning"
            | "content-encoding"
            | "content-type"
            | "content-range"
    )
}
