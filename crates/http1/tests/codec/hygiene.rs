//! RFC 9110 §7.6.1: what belongs to one hop stays on it, in both directions.

use super::support::{
    self,
    cases::{Outcome::*, hygiene::*},
    check_requests, empty, fetch, fetch_pieces, full,
};
use http::{Request, header};

#[tokio::test(start_paused = true)]
async fn requests() {
    check_requests(REQUESTS).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_connection_options() {
    let options: Vec<String> = (0..40).map(|index| format!("x{index}")).collect();
    let input = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n",
        options.join(",")
    );
    Refused(400).check(
        "RFC 9110 §7.6.1",
        "options",
        &support::serve_bytes(input.as_bytes()).await,
    );
}

#[tokio::test(start_paused = true)]
async fn responses() {
    let request = Request::get("http://u/").body(empty()).unwrap();
    let got = fetch(
        request,
        b"HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nUpgrade: h3\r\nTrailer: t\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n1\r\na\r\n0\r\nX-Hop: 2\r\nT: 3\r\nSet-Cookie: a=b\r\n\r\n",
    )
    .await
    .unwrap();
    let mut names: Vec<&str> = got.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["trailer", "x"]);
    let trailers = got.trailers.unwrap();
    assert_eq!(
        trailers
            .keys()
            .map(|name| name.as_str())
            .collect::<Vec<_>>(),
        ["t"]
    );
}

#[tokio::test(start_paused = true)]
async fn requests_are_written_without_what_the_hop_owns() {
    let request = Request::put("http://u/p")
        .header(header::CONNECTION, "close")
        .header("keep-alive", "1")
        .header(header::TE, "gzip")
        .header(header::TRANSFER_ENCODING, "gzip")
        .header(header::UPGRADE, "h2c")
        .header(header::EXPECT, "100-continue")
        .header(header::CONTENT_LENGTH, "2")
        .header("proxy-connection", "x")
        .header(header::TRAILER, "x")
        .header("x", "1")
        .body(full("ab"))
        .unwrap();
    let got = fetch(request, b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&got.request),
        "PUT /p HTTP/1.1\r\nhost: u\r\nx: 1\r\ncontent-length: 2\r\n\r\nab"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_asked_for_in_this_hops_words() {
    let request = Request::get("/chat")
        .header("host", "h")
        .header("sec-websocket-key", "k")
        .body(empty())
        .unwrap();
    let got = fetch_pieces(
        request,
        &[b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: v\r\n\r\n"],
        true,
    )
    .await
    .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&got.request),
        "GET /chat HTTP/1.1\r\nhost: h\r\nsec-websocket-key: k\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    assert_eq!(
        (got.status, got.headers.get("upgrade").unwrap().as_bytes()),
        (101, &b"websocket"[..])
    );
    assert!(!got.recycled);
}

/// How a request line and `Host` are written (RFC 9112 §3.2).
#[tokio::test(start_paused = true)]
async fn targets_are_written_in_origin_form() {
    for (method, uri, host, wanted) in [
        (
            "GET",
            "http://u:81/a?b",
            None,
            "GET /a?b HTTP/1.1\r\nhost: u:81\r\n",
        ),
        ("GET", "http://u", None, "GET / HTTP/1.1\r\nhost: u\r\n"),
        ("GET", "http://u?q", None, "GET /?q HTTP/1.1\r\nhost: u\r\n"),
        (
            "GET",
            "http://u/",
            Some("other"),
            "GET / HTTP/1.1\r\nhost: other\r\n",
        ),
        (
            "OPTIONS",
            "*",
            Some("h"),
            "OPTIONS * HTTP/1.1\r\nhost: h\r\n",
        ),
        ("GET", "/p", None, "GET /p HTTP/1.1\r\nhost: \r\n"),
    ] {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(empty())
            .unwrap();
        if let Some(host) = host {
            request
                .headers_mut()
                .insert(header::HOST, host.parse().unwrap());
        }
        let got = fetch(request, b"HTTP/1.1 204 N\r\n\r\n").await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&got.request),
            format!("{wanted}\r\n"),
            "{method} {uri}"
        );
    }
}

/// `Content-Length: 0` is said where a body would be expected, and only there (RFC 9110 §8.6).
#[tokio::test(start_paused = true)]
async fn empty_requests() {
    for (method, line) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "content-length: 0\r\n"),
        ("PATCH", "content-length: 0\r\n"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri("http://u/")
            .body(empty())
            .unwrap();
        let got = fetch(request, b"HTTP/1.1 204 N\r\n\r\n").await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&got.request),
            format!("{method} / HTTP/1.1\r\nhost: u\r\n{line}\r\n")
        );
    }
}
