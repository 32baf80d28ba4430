//! RFC 9110 §7.6.1: what belongs to one hop stays on it, in both directions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use http::{Request, header};
use support::{Case, Outcome::*, check_requests, empty, fetch, fetch_pieces, full};

#[rustfmt::skip]
const REQUESTS: &[Case] = &[
    Case("RFC 9110 §7.6.1", "hop-by-hop fields are removed", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: gzip\r\nUpgrade: x\r\nX: 1\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\nx=1\n[body ]")),
    Case("RFC 9110 §7.6.1", "fields named in Connection are removed", b"GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nConnection: x-hop, X-Other\r\nx-other: 2\r\nX: 1\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\nx=1\n[body ]")),
    Case("RFC 9110 §7.6.1", "in several Connection lines", b"GET / HTTP/1.1\r\nConnection: a-b\r\nHost: a\r\nA-B: 1\r\nC-D: 1\r\nConnection: , c-d ,\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\n[body ]")),
    Case("RFC 9110 §7.6.1", "but not those that make the message", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: t/t\r\nContent-Length: 1\r\nConnection: host, content-length, content-type, content-encoding\r\n\r\nx", Seen("POST / HTTP/1.1\nhost=a\ncontent-type=t/t\ncontent-length=1\n[body x]")),
    Case("RFC 9112 §6.1", "nor can Connection name the coding away", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n\r\n1\r\nx\r\n0\r\n\r\n", Seen("POST / HTTP/1.1\nhost=a\n[body x]")),
    Case("RFC 9110 §7.6.1", "named trailers are removed", b"POST / HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Hop: 1\r\nY: 2\r\n\r\n", Seen("[body x][trailer y=2]")),
    Case("RFC 9110 §7.6.1", "malformed Connection", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §10.1.4", "TE: trailers is noted", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nTE: deflate, Trailers;q=1\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\n[te trailers]\n[body ]")),
    Case("RFC 9110 §6.6.2", "Trailer is kept with chunks", b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Seen("trailer=x\n[body ]")),
    Case("RFC 9110 §6.6.2", "and dropped without", b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\nContent-Length: 0\r\n\r\n", Seen("host=a\ncontent-length=0\n[body ]")),
    Case("RFC 9110 §7.8", "upgrade", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", Seen("host=a\n[upgrade websocket]\n[body ]")),
    Case("RFC 9110 §7.8", "upgrade without Connection is ignored", b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", Seen("host=a\n[body ]")),
    Case("RFC 9110 §7.8", "upgrade in 1.0 is ignored", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", Seen("host=a\n[body ]")),
    Case("RFC 9113 §3.1", "h2c is ignored", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAA\r\nUpgrade: h2c\r\n\r\n", Seen("host=a\n[body ]")),
    Case("RFC 9113 §3.1", "h2c is taken out of a list", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: H2C, websocket\r\nUpgrade: h2c\r\nUpgrade: foo/2\r\n\r\n", Seen("host=a\n[upgrade websocket, foo/2]\n[body ]")),
];

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
