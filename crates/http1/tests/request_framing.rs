//! RFC 9112 §6–§7 as raw bytes: where the body of a request ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use support::{Case, Outcome::*, check_requests, serve_bytes};

#[rustfmt::skip]
const LENGTH: &[Case] = &[
    Case("RFC 9112 §6.2", "body by length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", Seen("[body abc]")),
    Case("RFC 9112 §6.3", "neither field: no body", b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", Seen("[body ]")),
    Case("RFC 9112 §6.2", "length 0", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", Seen("content-length=0\n[body ]")),
    Case("RFC 9110 §8.6", "leading zeros", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", Seen("[body abc]")),
    Case("RFC 9112 §6.3", "GET with a body", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", Seen("[body abc]")),
    Case("RFC 9110 §8.6", "plus sign", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", Refused(400)),
    Case("RFC 9110 §8.6", "minus sign", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc", Refused(400)),
    Case("RFC 9110 §8.6", "hexadecimal", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", Refused(400)),
    Case("RFC 9110 §8.6", "empty", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nabc", Refused(400)),
    Case("RFC 9110 §8.6", "inner space", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\nabc", Refused(400)),
    Case("RFC 9110 §8.6", "fraction", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc", Refused(400)),
    Case("RFC 9110 §8.6", "beyond 64 bits", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551619\r\n\r\nabc", Refused(400)),
    Case("RFC 9112 §6.3", "twice, different", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", Refused(400)),
    Case("RFC 9112 §6.3", "twice, the same", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", Refused(400)),
    Case("RFC 9112 §6.3", "a list of the same", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", Refused(400)),
    Case("RFC 9112 §6.3", "a list", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabc", Refused(400)),
    Case("RFC 9112 §6.3", "in HTTP/1.0", b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", Seen("[body abc]")),
    Case("RFC 9112 §8", "cut off", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc", Seen("body error: body ended before its end")),
];

#[rustfmt::skip]
const CODING: &[Case] = &[
    Case("RFC 9112 §7.1", "chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Seen("[body abc]")),
    Case("RFC 9112 §7", "codings are case-insensitive", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ChUnKeD\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Seen("[body abc]")),
    Case("RFC 9112 §6.3", "with Content-Length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "with Content-Length after it", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "with a bad Content-Length", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.1", "in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.1", "in a later 1.x", b"POST / HTTP/1.3\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Seen("[body a]")),
    Case("RFC 9112 §6.3", "identity", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "gzip alone", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.1", "gzip, chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Refused(501)),
    Case("RFC 9112 §6.3", "chunked, gzip", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.1", "chunked twice in a list", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.1", "chunked in two lines", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.1", "chunked, identity in two lines", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "empty", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "a lookalike", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "quoted", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "vertical tab", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §7.1", "with a parameter", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §6.3", "leading comma", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §5.1", "space before the colon", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    Case("RFC 9112 §5.2", "folded", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", Refused(400)),
];

/// The chunked bodies: all after the same head.
#[rustfmt::skip]
const CHUNKS: &[Case] = &[
    Case("RFC 9112 §7.1", "several chunks", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", Seen("[body abc]")),
    Case("RFC 9112 §7.1", "upper and lower case sizes", b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", Seen("[body 01234567890123456789]")),
    Case("RFC 9112 §7.1", "leading zeros", b"0003\r\nabc\r\n000\r\n\r\n", Seen("[body abc]")),
    Case("RFC 9112 §7.1", "CRLF in the data", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", Seen("[body \r\n\r\n]")),
    Case("RFC 9112 §7.1", "no size", b"\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "0x prefix", b"0x3\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "sign", b"+3\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "minus", b"-3\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "not hexadecimal", b"g\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "space before the size", b" 3\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "space after the size", b"3 \r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk extension")),
    Case("RFC 9112 §7.1", "size beyond 64 bits", b"10000000000000003\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "size of 64 bits", b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "size ended by LF", b"3\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "size ended by CR", b"3\rabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1", "data longer than the size", b"3\r\nabcd\r\n0\r\n\r\n", SeenThen400("chunk not ended by CRLF")),
    Case("RFC 9112 §7.1", "data ended by LF", b"3\r\nabc\n0\r\n\r\n", SeenThen400("chunk not ended by CRLF")),
    Case("RFC 9112 §7.1", "data ended by CR", b"3\r\nabc\r0\r\n\r\n", SeenThen400("chunk not ended by CRLF")),
    Case("RFC 9112 §7.1", "no CRLF after the data", b"3\r\nabc0\r\n\r\n", SeenThen400("chunk not ended by CRLF")),
    Case("RFC 9112 §7.1", "NUL in the size", b"3\0\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1.1", "extension", b"3;a=b\r\nabc\r\n0;c\r\n\r\n", Seen("[body abc]")),
    Case("RFC 9112 §7.1.1", "extension with white space", b"3 ; a = \"b c\"\r\nabc\r\n0\r\n\r\n", Seen("[body abc]")),
    Case("RFC 9112 §7.1.1", "LF in an extension", b"3;a\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk extension")),
    Case("RFC 9112 §7.1.1", "CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk size")),
    Case("RFC 9112 §7.1.1", "NUL in an extension", b"3;a\0\r\nabc\r\n0\r\n\r\n", SeenThen400("malformed chunk extension")),
    Case("RFC 9112 §7.1.2", "trailers", b"1\r\na\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", Seen("[body a][trailer x-t=1][trailer x-u=2]")),
    Case("RFC 9110 §6.5.1", "forbidden trailers", b"1\r\na\r\n0\r\nHost: b\r\nContent-Length: 4\r\nAuthorization: x\r\nX-T: 1\r\n\r\n", Seen("[body a][trailer x-t=1]")),
    Case("RFC 9112 §7.1.2", "space before the colon of a trailer", b"1\r\na\r\n0\r\nX : 1\r\n\r\n", SeenThen400("malformed trailer section")),
    Case("RFC 9112 §7.1.2", "LF in the trailers", b"1\r\na\r\n0\r\nX: 1\nY: 2\r\n\r\n", SeenThen400("malformed trailer section")),
    Case("RFC 9112 §7.1.2", "folded trailer", b"1\r\na\r\n0\r\nX: 1\r\n y\r\n\r\n", SeenThen400("malformed trailer section")),
    Case("RFC 9112 §8", "cut off in the size", b"3", SeenThen400("body ended before its end")),
    Case("RFC 9112 §8", "cut off in the data", b"3\r\nab", SeenThen400("body ended before its end")),
    Case("RFC 9112 §8", "cut off before the last chunk", b"3\r\nabc\r\n", SeenThen400("body ended before its end")),
    Case("RFC 9112 §8", "cut off before the end of the trailers", b"3\r\nabc\r\n0\r\nX: 1\r\n", SeenThen400("body ended before its end")),
];

#[tokio::test(start_paused = true)]
async fn lengths() {
    check_requests(LENGTH).await;
}

#[tokio::test(start_paused = true)]
async fn codings() {
    check_requests(CODING).await;
}

#[tokio::test(start_paused = true)]
async fn chunks() {
    for Case(section, name, body, outcome) in CHUNKS {
        let mut input =
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        input.extend_from_slice(body);
        outcome.check(section, name, &serve_bytes(&input).await);
    }
}

#[tokio::test(start_paused = true)]
async fn extensions_are_bounded_per_body() {
    let mut input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..200 {
        input.extend_from_slice(b"1;");
        input.extend_from_slice(&[b'x'; 100]);
        input.extend_from_slice(b"\r\na\r\n");
    }
    input.extend_from_slice(b"0\r\n\r\n");
    let served = serve_bytes(&input).await;
    assert!(
        served.seen[0].contains("chunk extensions too long"),
        "{:?}",
        served.seen
    );
    assert_eq!(served.statuses(), [400]);
}

#[tokio::test(start_paused = true)]
async fn trailers_are_bounded() {
    for (count, length) in [(1, 20_000), (100, 10)] {
        let mut input =
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".to_vec();
        for index in 0..count {
            input.extend_from_slice(format!("x-{index}: {}\r\n", "v".repeat(length)).as_bytes());
        }
        input.extend_from_slice(b"\r\n");
        let served = serve_bytes(&input).await;
        assert!(
            served.seen[0].contains("trailer section too large"),
            "{:?}",
            served.seen
        );
        assert_eq!(served.statuses(), [400]);
    }
}

/// What follows a message is the next one, and nothing follows one whose end is unknown (RFC 9112 §6.3).
#[tokio::test(start_paused = true)]
async fn nothing_is_processed_after_broken_framing() {
    let smuggled = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    for Case(section, name, head, _) in CODING.iter().filter(|case| matches!(case.3, Refused(_))) {
        let mut input = head.to_vec();
        input.extend_from_slice(smuggled);
        let served = serve_bytes(&input).await;
        assert!(
            served.seen.is_empty(),
            "{section} {name}: {:?}",
            served.seen
        );
        assert_eq!(served.statuses().len(), 1, "{section} {name}");
    }
    for Case(section, name, body, _) in CHUNKS
        .iter()
        .filter(|case| matches!(case.3, SeenThen400(_)))
    {
        if section.ends_with("§8") {
            continue;
        }
        let mut input =
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        input.extend_from_slice(body);
        input.extend_from_slice(smuggled);
        let served = serve_bytes(&input).await;
        assert_eq!(served.seen.len(), 1, "{section} {name}: {:?}", served.seen);
        assert_eq!(served.statuses().len(), 1, "{section} {name}");
    }
}
