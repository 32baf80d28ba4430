//! The happy paths of both sides.

use super::support::{empty, fetch, full, serve_bytes};
use http::Request;

#[tokio::test(start_paused = true)]
async fn answers_a_plain_request() {
    let served = serve_bytes(b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-Y: z\r\n\r\n").await;
    assert_eq!(served.seen, ["GET /a?b HTTP/1.1\nhost=x\nx-y=z\n[body ]"]);
    assert_eq!(
        served.text(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    );
    assert_eq!(served.ended, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn answers_pipelined_requests_in_order() {
    let served = serve_bytes(
        b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\nT: v\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(
        served.seen,
        [
            "POST /1 HTTP/1.1\nhost=x\ncontent-length=3\n[body abc]",
            "POST /2 HTTP/1.1\nhost=x\n[body xyz][trailer t=v]",
            "GET /3 HTTP/1.1\nhost=x\n[body ]"
        ]
    );
    assert_eq!(served.statuses(), [200, 200, 200]);
    assert!(
        served
            .text()
            .ends_with("content-length: 2\r\nconnection: close\r\n\r\nok"),
        "{}",
        served.text()
    );
}

#[tokio::test(start_paused = true)]
async fn fetches_and_recycles() {
    let request = Request::get("http://up/p?q")
        .header("x-a", "1")
        .body(empty())
        .unwrap();
    let got = fetch(
        request,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-B: 2\r\n\r\nhello",
    )
    .await
    .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&got.request),
        "GET /p?q HTTP/1.1\r\nhost: up\r\nx-a: 1\r\n\r\n"
    );
    assert_eq!((got.status, got.body.as_deref()), (200, Ok(&b"hello"[..])));
    assert_eq!(got.headers["x-b"], "2");
    assert!(got.recycled);
}

#[tokio::test(start_paused = true)]
async fn sends_a_body() {
    let request = Request::post("/p")
        .header("host", "h")
        .body(full("payload"))
        .unwrap();
    let got = fetch(
        request,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    )
    .await
    .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&got.request),
        "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 7\r\n\r\npayload"
    );
    assert_eq!(got.body.as_deref(), Ok(&b"hi"[..]));
    assert!(got.recycled);
}
