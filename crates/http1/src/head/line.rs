//! What can be told of a request line, whatever is wrong with its request.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};

/// The parts of a request line that could be made out, of a request that is refused or not complete. For logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestLine {
    /// The method, if it is a token of at most 32 bytes.
    pub method: Option<Method>,
    /// Path and query, if they are well-formed; cut off after 1024 bytes.
    pub target: Option<PathAndQuery>,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Option<Version>,
}

const LONGEST_METHOD: usize = 32;
const LONGEST_TARGET: usize = 1024;

impl RequestLine {
    /// Looks at the first line of `head`, which may be cut off anywhere or be no HTTP at all.
    pub fn of(head: &[u8]) -> Self {
        let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
        let line = head.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
            return Self::default();
        };
        let method = Some(method)
            .filter(|method| method.len() <= LONGEST_METHOD)
            .and_then(|method| Method::from_bytes(method).ok());
        let version = match parts.next() {
            Some(b"HTTP/1.0") => Some(Version::HTTP_10),
            Some(b"HTTP/1.1") => Some(Version::HTTP_11),
            _ => None,
        };
        Self {
            target: method.as_ref().and_then(|_| path_and_query(target)),
            method,
            version,
        }
    }
}

fn path_and_query(target: &[u8]) -> Option<PathAndQuery> {
    let shown = target.get(..LONGEST_TARGET).unwrap_or(target);
    if !shown.is_ascii() {
        return None;
    }
    if shown.starts_with(b"/") {
        return PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(shown)).ok();
    }
    let absolute = Uri::try_from(shown).ok()?.into_parts();
    absolute.scheme.and(absolute.path_and_query)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(head: &[u8]) -> (String, String, Option<Version>) {
        let RequestLine {
            method,
            target,
            version,
        } = RequestLine::of(head);
        let text = |text: Option<String>| text.unwrap_or_default();
        (
            text(method.map(|method| method.to_string())),
            text(target.map(|target| target.to_string())),
            version,
        )
    }

    fn known(
        method: &str,
        target: &str,
        version: Option<Version>,
    ) -> (String, String, Option<Version>) {
        (method.to_owned(), target.to_owned(), version)
    }

    #[test]
    fn what_is_there_is_told_and_no_more() {
        let v11 = Some(Version::HTTP_11);
        let cases: [(&[u8], _); 10] = [
            (b"GET /a?b HTTP/1.1\r\nbroken", known("GET", "/a?b", v11)),
            (
                b"PUT http://h/a?b HTTP/1.0\r\n",
                known("PUT", "/a?b", Some(Version::HTTP_10)),
            ),
            (b"GET /half", known("GET", "/half", None)),
            (b"GE", known("", "", None)),
            (b"GET /a HTTP/9.9\r\n", known("GET", "/a", None)),
            (b"G\x00T /a HTTP/1.1\r\n", known("", "", v11)),
            (b"GET /\x1b[2J HTTP/1.1\r\n", known("GET", "", v11)),
            (b"GET /\xff HTTP/1.1\r\n", known("GET", "", v11)),
            (b"\x16\x03\x01\x02\x00", known("", "", None)),
            (b"", known("", "", None)),
        ];
        for (head, expected) in cases {
            assert_eq!(line(head), expected, "{}", head.escape_ascii());
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(5000));
        assert_eq!(line(long.as_bytes()).1.len(), LONGEST_TARGET);
    }
}
