//! RFC 9112 §2–§5 and RFC 9110 §7, §10 as raw bytes: heads of requests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use support::{Case, Outcome::*, check_requests};

#[rustfmt::skip]
const START_LINE: &[Case] = &[
    Case("RFC 9112 §3", "plain", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET / HTTP/1.1\n")),
    Case("RFC 9112 §3", "no target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "two spaces before the target", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "two spaces before the version", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "tab as delimiter", b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "space after the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "space before the method", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "no version (HTTP/0.9)", b"GET /\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3", "garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "one empty line before", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET / ")),
    Case("RFC 9112 §2.2", "four empty lines before", b"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET / ")),
    Case("RFC 9112 §2.2", "five empty lines before", b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "bare LF before", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "bare CR before", b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "request line ended by LF", b"GET / HTTP/1.1\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "field line ended by LF", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "last field line ended by LF", b"GET / HTTP/1.1\r\nHost: a\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "head ended by LF", b"GET / HTTP/1.1\r\nHost: a\r\n\n", Refused(400)),
    Case("RFC 9112 §2.2", "all lines ended by LF", b"GET / HTTP/1.1\nHost: a\n\n", Refused(400)),
    Case("RFC 9112 §2.2", "bare CR in the request line", b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "bare CR in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "two CRs before LF", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.2", "space before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.3", "HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", Seen("GET / HTTP/1.0\n")),
    Case("RFC 9110 §2.5", "a later minor version", b"GET / HTTP/1.7\r\nHost: a\r\n\r\n", Seen("GET / HTTP/1.1\n")),
    Case("RFC 9110 §15.6.6", "HTTP/2.0 in the old syntax", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refused(505)),
    Case("RFC 9110 §15.6.6", "HTTP/0.9 by name", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", Refused(505)),
    Case("RFC 9112 §2.3", "lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.3", "two-digit minor", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.3", "no minor", b"GET / HTTP/1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §2.3", "another protocol", b"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9110 §9.1", "an extension method", b"PURGE-ALL / HTTP/1.1\r\nHost: a\r\n\r\n", Seen("PURGE-ALL / ")),
    Case("RFC 9110 §9.1", "methods are case-sensitive", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", Seen("get / ")),
    Case("RFC 9110 §9.1", "method with a delimiter", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9110 §9.1", "method with a NUL", b"GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
];

#[rustfmt::skip]
const TARGET: &[Case] = &[
    Case("RFC 9112 §3.2.1", "query", b"GET /a?b=c&d HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET /a?b=c&d HTTP/1.1")),
    Case("RFC 9112 §3.2.1", "kept byte for byte", b"GET //a/../%2f;x?? HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET //a/../%2f;x?? ")),
    Case("RFC 9112 §3.2.1", "fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.1", "fragment in the query", b"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "no slash", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "query only", b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "NUL", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "DEL", b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "raw UTF-8", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "raw UTF-8 in the query", b"GET /?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "angle brackets", b"GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.2", "absolute-form", b"GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET /p?q HTTP/1.1\nhost=b:81\n")),
    Case("RFC 9112 §3.2.2", "absolute-form, https", b"GET https://b/p HTTP/1.1\r\nHost: b\r\n\r\n", Seen("GET /p HTTP/1.1\nhost=b\n")),
    Case("RFC 9112 §3.2.2", "absolute-form without path", b"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET / HTTP/1.1\nhost=b\n")),
    Case("RFC 9112 §3.2.2", "absolute-form, query without path", b"GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", Seen("GET /?q HTTP/1.1\nhost=b\n")),
    Case("RFC 9112 §3.2.2", "absolute-form in 1.0 without Host", b"GET http://b/ HTTP/1.0\r\n\r\n", Seen("GET / HTTP/1.0\nhost=b\n")),
    Case("RFC 9112 §3.2", "absolute-form still needs Host in 1.1", b"GET http://b/ HTTP/1.1\r\n\r\n", Refused(400)),
    Case("RFC 9110 §4.2.4", "absolute-form with user information", b"GET http://u@b/ HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.2", "absolute-form, another scheme", b"GET ftp://b/ HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §4.2.1", "absolute-form, empty host", b"GET http:///p HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.1", "absolute-form, fragment", b"GET http://b/p#f HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.4", "asterisk-form", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Seen("OPTIONS * HTTP/1.1")),
    Case("RFC 9112 §3.2.4", "asterisk-form, another method", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.4", "OPTIONS absolute-form without path", b"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", Seen("OPTIONS * HTTP/1.1\nhost=b\n")),
    Case("RFC 9112 §3.2.4", "OPTIONS absolute-form with path /", b"OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", Seen("OPTIONS / HTTP/1.1\nhost=b\n")),
    Case("RFC 9112 §3.2.3", "CONNECT", b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", Seen("CONNECT b:443 HTTP/1.1")),
    Case("RFC 9112 §3.2.3", "CONNECT without port", b"CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.3", "CONNECT with a path", b"CONNECT /p HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2.3", "authority-form, another method", b"GET b:443 HTTP/1.1\r\nHost: b\r\n\r\n", Refused(400)),
];

#[rustfmt::skip]
const HOST: &[Case] = &[
    Case("RFC 9112 §3.2", "missing in 1.1", b"GET / HTTP/1.1\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "missing in 1.0", b"GET / HTTP/1.0\r\nA: b\r\n\r\n", Seen("a=b")),
    Case("RFC 9112 §3.2", "twice", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "twice the same", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "twice in 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §3.2", "a list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §4.2.1", "empty", b"GET / HTTP/1.1\r\nHost: \r\n\r\n", Refused(400)),
    Case("RFC 9110 §7.2", "with user information", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Refused(400)),
    Case("RFC 9110 §7.2", "with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §7.2", "with white space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §7.2", "port", b"GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", Seen("host=a:8080\n")),
    Case("RFC 3986 §3.2.3", "empty port", b"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", Seen("host=a:\n")),
    Case("RFC 3986 §3.2.3", "port of letters", b"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.3", "port beyond 65535", b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.3", "two ports", b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.2", "IPv6", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", Seen("host=[::1]:80\n")),
    Case("RFC 3986 §3.2.2", "IPv6 without brackets", b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.2", "brackets not closed", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.2", "not an address in brackets", b"GET / HTTP/1.1\r\nHost: [a]\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.2", "text after the brackets", b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", Refused(400)),
    Case("RFC 3986 §3.2.2", "IPvFuture", b"GET / HTTP/1.1\r\nHost: [v1.a:b]\r\n\r\n", Seen("host=[v1.a:b]\n")),
    Case("RFC 3986 §2.1", "percent-encoded", b"GET / HTTP/1.1\r\nHost: a%2db\r\n\r\n", Seen("host=a%2db\n")),
    Case("RFC 3986 §2.1", "bad percent-encoding", b"GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", Refused(400)),
];

#[rustfmt::skip]
const FIELDS: &[Case] = &[
    Case("RFC 9112 §5.1", "space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §5.1", "tab before the colon", b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", Refused(400)),
    Case("RFC 9112 §5.1", "no space after the colon", b"GET / HTTP/1.1\r\nHost:a\r\n\r\n", Seen("host=a\n")),
    Case("RFC 9112 §5.1", "white space around the value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \t b c\t \r\n\r\n", Seen("x=b c\n")),
    Case("RFC 9110 §5.5", "empty value", b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n", Seen("x=\ny=\n")),
    Case("RFC 9112 §5.2", "obs-fold", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", Refused(400)),
    Case("RFC 9112 §5.2", "obs-fold by tab", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", Refused(400)),
    Case("RFC 9112 §5.2", "obs-fold of an empty value", b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.1", "no colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.1", "empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.1", "delimiter in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX/Y: x\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.1", "NUL in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\0: x\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.1", "bytes beyond ASCII in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: x\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.1", "all token characters", b"GET / HTTP/1.1\r\nHost: a\r\nX!#$%&'*+-.^_`|~9: x\r\n\r\n", Seen("x!#$%&'*+-.^_`|~9=x\n")),
    Case("RFC 9110 §5.5", "NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.5", "control byte in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.5", "DEL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n", Refused(400)),
    Case("RFC 9110 §5.5", "tab in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n", Seen("x=a\tb\n")),
    Case("RFC 9110 §5.5", "obs-text in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n", Seen("x=\u{e9}\n")),
    Case("RFC 9110 §5.2", "repeated fields", b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nX: 3\r\n\r\n", Seen("x=1\nx=3\ny=2\n")),
    Case("RFC 9110 §10.1.1", "unknown expectation", b"GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", Refused(417)),
    Case("RFC 9110 §10.1.1", "known and unknown expectation", b"GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nExpect: 100-continue\r\n\r\n", Refused(417)),
    Case("RFC 9110 §10.1.1", "expectation in 1.0 is ignored", b"GET / HTTP/1.0\r\nExpect: wonders\r\n\r\n", Seen("GET / HTTP/1.0\n[body ]")),
    Case("RFC 9110 §10.1.1", "expectation without body", b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", Seen("host=a\n[body ]")),
];

#[tokio::test(start_paused = true)]
async fn start_lines() {
    check_requests(START_LINE).await;
}

#[tokio::test(start_paused = true)]
async fn targets() {
    check_requests(TARGET).await;
}

#[tokio::test(start_paused = true)]
async fn hosts() {
    check_requests(HOST).await;
}

#[tokio::test(start_paused = true)]
async fn fields() {
    check_requests(FIELDS).await;
}
