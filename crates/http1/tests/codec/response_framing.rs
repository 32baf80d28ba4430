//! RFC 9112 §6–§9 as raw bytes: where the body of a response ends, and whether the connection is kept.

use super::support::{self, Answer, Reaction::*, check_answers, check_answers_to};

#[rustfmt::skip]
const LENGTH: &[Answer] = &[
    Answer("RFC 9112 §6.2", "by length", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Kept(200, "abc")),
    Answer("RFC 9112 §6.3", "204 has no body", b"HTTP/1.1 204 No Content\r\n\r\n", Kept(204, "")),
    Answer("RFC 9112 §6.3", "204 with a length has no body", b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", Kept(204, "")),
    Answer("RFC 9112 §6.3", "304 with a length has no body", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", Kept(304, "")),
    Answer("RFC 9112 §6.3", "304 with a coding has no body", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", Kept(304, "")),
    Answer("RFC 9112 §9.2", "a body on 204 closes", b"HTTP/1.1 204 No Content\r\n\r\nabc", Closed(204, "")),
    Answer("RFC 9112 §9.2", "bytes after the message close", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n", Closed(200, "abc")),
    Answer("RFC 9112 §9.3", "Connection: close", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", Closed(200, "abc")),
    Answer("RFC 9112 §9.3", "HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", Closed(200, "abc")),
    Answer("RFC 9112 §9.3", "HTTP/1.0 with keep-alive", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: Keep-Alive\r\n\r\nabc", Kept(200, "abc")),
    Answer("RFC 9112 §9.3", "close wins over keep-alive", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive, close\r\n\r\nabc", Closed(200, "abc")),
    Answer("RFC 9112 §6.3", "neither field: until close", b"HTTP/1.1 200 OK\r\n\r\nabc", Closed(200, "abc")),
    Answer("RFC 9112 §6.3", "until close in 1.0 with keep-alive", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc", Closed(200, "abc")),
    Answer("RFC 9112 §8", "cut off", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", CutOff(200)),
    Answer("RFC 9112 §8", "cut off at the start", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", CutOff(200)),
    Answer("RFC 9110 §8.6", "sign", b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", Bad("malformed Content-Length")),
    Answer("RFC 9110 §8.6", "overflow", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc", Bad("malformed Content-Length")),
    Answer("RFC 9112 §6.3", "two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", Bad("more than one Content-Length")),
    Answer("RFC 9112 §6.3", "a list", b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc", Bad("malformed Content-Length")),
    Answer("RFC 9110 §8.6", "bad length on 204", b"HTTP/1.1 204 N\r\nContent-Length: x\r\n\r\n", Bad("malformed Content-Length")),
];

#[rustfmt::skip]
const CHUNKED: &[Answer] = &[
    Answer("RFC 9112 §7.1", "chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Kept(200, "abc")),
    Answer("RFC 9112 §7.1", "empty", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §7.1.2", "trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n", Kept(200, "abc")),
    Answer("RFC 9112 §9.2", "bytes after the message close", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", Closed(200, "")),
    Answer("RFC 9112 §8", "cut off in the data", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", CutOff(200)),
    Answer("RFC 9112 §8", "cut off before the last chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CutOff(200)),
    Answer("RFC 9112 §8", "cut off after the last chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", CutOff(200)),
    Answer("RFC 9112 §7.1", "bad size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n", BadBody(200, "malformed chunk size")),
    Answer("RFC 9112 §7.1", "bad end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", BadBody(200, "chunk not ended by CRLF")),
    Answer("RFC 9112 §6.3", "with a length", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", Bad("both Transfer-Encoding and Content-Length")),
    Answer("RFC 9112 §6.1", "in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Bad("Transfer-Encoding in HTTP/1.0")),
    Answer("RFC 9112 §6.3", "gzip", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", Bad("not a single final chunked")),
    Answer("RFC 9112 §6.1", "gzip, chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Bad("unknown transfer coding")),
    Answer("RFC 9112 §6.1", "twice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Bad("more than one Transfer-Encoding")),
];

#[rustfmt::skip]
const TO_HEAD: &[Answer] = &[
    Answer("RFC 9112 §6.3", "a length", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §6.3", "a coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §6.3", "neither", b"HTTP/1.1 404 Not Found\r\n\r\n", Kept(404, "")),
    Answer("RFC 9112 §9.2", "a body all the same", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Closed(200, "")),
];

#[tokio::test(start_paused = true)]
async fn lengths() {
    check_answers(LENGTH).await;
}

#[tokio::test(start_paused = true)]
async fn chunked() {
    check_answers(CHUNKED).await;
}

#[tokio::test(start_paused = true)]
async fn answers_to_head() {
    check_answers_to(http::Method::HEAD, TO_HEAD).await;
}

#[tokio::test(start_paused = true)]
async fn the_declared_length_of_an_answer_to_head_is_kept() {
    let request = http::Request::head("http://u/")
        .body(support::empty())
        .unwrap();
    let got = support::fetch(request, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(got.headers["content-length"], "3");
}
