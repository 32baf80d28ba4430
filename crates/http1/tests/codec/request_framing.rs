//! RFC 9112 §6–§7 as raw bytes: where the body of a request ends.

use super::support::{
    cases::{Case, Outcome::*, framing::*},
    check_requests, serve_bytes,
};

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
