//! RFC 9112 §4–§5 and RFC 9110 §15 as raw bytes: heads of responses.

use super::support::{self, Answer, Reaction::*, check_answers};

#[rustfmt::skip]
const STATUS_LINE: &[Answer] = &[
    Answer("RFC 9112 §4", "plain", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §4", "empty reason", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §4", "no space before the empty reason", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §4", "obs-text in the reason", b"HTTP/1.1 200 \xe9\r\nContent-Length: 0\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §4", "a code without a name", b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", Kept(299, "")),
    Answer("RFC 9110 §2.5", "a later minor version", b"HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n", Kept(200, "")),
    Answer("RFC 9112 §4", "two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9112 §4", "four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9112 §4", "letters", b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9110 §15", "code below 100", b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9110 §15", "code beyond 599", b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9112 §4", "empty line before", b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9112 §4", "two spaces", b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9112 §4", "control byte in the reason", b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n", Bad("malformed status line")),
    Answer("RFC 9112 §2.3", "HTTP/2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", Bad("not an HTTP/1 response")),
    Answer("RFC 9112 §2.3", "not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Bad("not an HTTP/1 response")),
    Answer("RFC 9112 §2.3", "ICY", b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n", Bad("not an HTTP/1 response")),
    Answer("RFC 9112 §2.2", "status line ended by LF", b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", Bad("line not ended by CRLF")),
    Answer("RFC 9112 §2.2", "all lines ended by LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", Bad("line not ended by CRLF")),
    Answer("RFC 9112 §8", "nothing", b"", Bad("closed the connection before answering")),
    Answer("RFC 9112 §8", "cut off in the status line", b"HTTP/1.1 20", Bad("inside the head")),
    Answer("RFC 9112 §8", "cut off in the fields", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Bad("inside the head")),
];

#[rustfmt::skip]
const FIELDS: &[Answer] = &[
    Answer("RFC 9112 §5.1", "space before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", Bad("malformed field name")),
    Answer("RFC 9112 §5.2", "obs-fold", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", Bad("malformed field name")),
    Answer("RFC 9110 §5.5", "NUL in a value", b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n", Bad("malformed field value")),
    Answer("RFC 9112 §2.2", "bare CR in a value", b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", Bad("malformed field value")),
    Answer("RFC 9110 §5.1", "no colon", b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n", Bad("malformed field name")),
    Answer("RFC 9110 §5.1", "empty name", b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n", Bad("malformed field name")),
    Answer("RFC 9110 §5.1", "delimiter in a name", b"HTTP/1.1 200 OK\r\nX(Y): x\r\nContent-Length: 0\r\n\r\n", Bad("malformed field name")),
    Answer("RFC 9110 §7.6.1", "malformed Connection", b"HTTP/1.1 200 OK\r\nConnection: a b\r\nContent-Length: 0\r\n\r\n", Bad("malformed Connection")),
    Answer("RFC 9112 §2.2", "field ended by LF", b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n", Bad("line not ended by CRLF")),
];

#[rustfmt::skip]
const INTERIM: &[Answer] = &[
    Answer("RFC 9110 §15.2", "103 before the answer", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", KeptAfter(&[103], 200, "a")),
    Answer("RFC 9110 §15.2", "several", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 204 N\r\n\r\n", KeptAfter(&[102, 103], 204, "")),
    Answer("RFC 9110 §15.2.1", "unasked 100 is passed over", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", KeptAfter(&[], 200, "a")),
    Answer("RFC 9112 §6.3", "interim responses have no body", b"HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", KeptAfter(&[103], 200, "a")),
    Answer("RFC 9110 §7.8", "101 unasked", b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", Bad("switched protocols unasked")),
    Answer("RFC 9112 §8", "nothing after 103", b"HTTP/1.1 103 E\r\n\r\n", Bad("closed the connection before answering")),
];

#[tokio::test(start_paused = true)]
async fn status_lines() {
    check_answers(STATUS_LINE).await;
}

#[tokio::test(start_paused = true)]
async fn fields() {
    check_answers(FIELDS).await;
}

#[tokio::test(start_paused = true)]
async fn interim_responses() {
    check_answers(INTERIM).await;
}

#[tokio::test(start_paused = true)]
async fn interim_responses_are_bounded() {
    let mut answer = b"HTTP/1.1 103 E\r\n\r\n".repeat(17);
    answer.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let request = http::Request::get("http://u/")
        .body(support::empty())
        .unwrap();
    let error = support::fetch(request, &answer).await.err().unwrap();
    assert!(error.contains("too many interim responses"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn heads_are_bounded() {
    for (count, length) in [(1, 70_000), (101, 1)] {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_vec();
        for index in 0..count {
            answer.extend_from_slice(format!("x-{index}: {}\r\n", "v".repeat(length)).as_bytes());
        }
        answer.extend_from_slice(b"\r\n");
        let request = http::Request::get("http://u/")
            .body(support::empty())
            .unwrap();
        let error = support::fetch(request, &answer).await.err().unwrap();
        assert!(error.contains("too large"), "{error}");
    }
}
