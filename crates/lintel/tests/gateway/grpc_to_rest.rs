//! A service that speaks only JSON, reached by gRPC: grpcio for Python calls it.

use std::path::Path;

use lintel_testkit::{Answer, Origin, Seen};
use serde_json::{Value, json};

use crate::support::{Gateway, Peer, text, with_routes};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROBLEM: (&str, &str) = ("Content-Type", "application/problem+json");
const LINES: (&str, &str) = ("Content-Type", "application/x-ndjson");

/// The service: a little of everything that services of JSON answer.
fn answer(seen: &Seen) -> Answer {
    let book = r#"{"name": "n", "title": "T", "isbn": "7", "kind": "NOVEL", "published": "1970-01-01T00:00:01Z", "more": [1]}"#;
    let missing = r#"{"title": "Not Found", "status": 404, "detail": "no bücher, 100%", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "NO_BOOK", "domain": "library"}]}"#;
    match (&*seen.method, &*seen.target) {
        ("GET", "/v1/shelves/1/books/2%20%C3%BC" | "/v1/shelves/1/books/2") => {
            Answer::new(200, &[JSON, ("X-Version", "3")], book)
        }
        ("GET", "/v1/shelves/1/books?pageSize=2&kinds=NOVEL&kinds=ATLAS") => Answer::new(
            200,
            &[JSON],
            r#"{"books": [{"title": "a"}, {"title": "b"}]}"#,
        ),
        ("POST", "/v1/shelves/1/books") => Answer::new(201, &[JSON], r#"{"name": "made"}"#),
        ("PATCH", _) => Answer::new(204, &[], ""),
        ("GET", "/v1/shelves/1/books/2/cover") => {
            Answer::new(200, &[("Content-Type", "image/svg+xml")], "<svg/>")
        }
        ("GET", "/v1/shelves/lines/books:watch?count=2") => {
            Answer::new(200, &[LINES], "{\"title\": \"a\"}\n\n{\"title\": \"b\"}")
        }
        ("GET", "/v1/shelves/array/books:watch?count=2") => {
            Answer::new(200, &[JSON], r#"[{"title": "a"}, {"title": "b"}]"#)
        }
        ("GET", "/v1/shelves/nothing/books:watch?count=2") => Answer::new(200, &[LINES], ""),
        ("GET", "/v1/shelves/failing/books:watch?count=2") => {
            let gone = r#"{"error": {"status": 503, "detail": "gone"}}"#;
            Answer::new(200, &[LINES], format!("{{\"title\": \"a\"}}\n{gone}\n"))
        }
        ("GET", "/v1/shelves/wrong/books:watch?count=2") => {
            Answer::new(200, &[LINES], "{\"title\": \"a\"}\n{\"title\": 1}\n")
        }
        ("GET", "/v1/shelves/missing/books:watch?count=2") => {
            Answer::new(404, &[JSON], r#"{"message": "no shelf"}"#)
        }
        ("GET", "/v1/shelves/1/books/missing") => Answer::new(404, &[PROBLEM], missing),
        ("GET", "/v1/shelves/1/books/own_code") => {
            let own = r#"{"status": 409, "detail": "there already", "grpc_status": 6}"#;
            Answer::new(409, &[PROBLEM], own)
        }
        ("GET", "/v1/shelves/1/books/nested") => Answer::new(
            403,
            &[JSON],
            r#"{"error": {"code": 403, "message": "not you"}}"#,
        ),
        ("GET", "/v1/shelves/1/books/html") => {
            Answer::new(503, &[("Content-Type", "text/html")], "<h1>down</h1>")
        }
        ("GET", "/v1/shelves/1/books/often") => Answer::new(429, &[JSON], r#"{"error": "slower"}"#),
        ("GET", "/v1/shelves/1/books/garbage") => Answer::new(200, &[JSON], "{\"title\": "),
        other => panic!("{other:?}"),
    }
}

fn protos() -> String {
    text(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/protos"))
}

fn start(origin: &Origin) -> Gateway {
    let (url, protos) = (origin.url(), protos());
    Gateway::start(&with_routes(&format!(
        "services: {{ library: {{ endpoints: [\"{url}\"], descriptors: [\"{protos}/library.proto\"] }} }}\n\
         routes: {{ library: {{ match: {{ path: \"/*\" }}, to: {{ grpc: {{ service: library, speaks: json }} }} }} }}"
    )))
}

#[test]
fn calls_become_requests_and_their_answers_messages() {
    let origin = Origin::start(answer);
    let gateway = start(&origin);
    let port = gateway.public().port().to_string();
    Peer::run("library_client.py", &[&protos(), &port]);
    let seen = origin.seen();
    let first = &seen[0];
    assert_eq!(first.header("x-tenant"), Some("acme"));
    assert_eq!(first.header("x-data-bin"), Some("AP8"));
    assert_eq!(first.header("accept"), Some("application/json"));
    for absent in ["content-type", "grpc-timeout", "grpc-accept-encoding"] {
        assert_eq!(first.header(absent), None, "{absent}");
    }
    let body = |method: &str| -> Value {
        let request = seen.iter().find(|one| one.method == method).unwrap();
        assert_eq!(request.header("content-type"), Some("application/json"));
        serde_json::from_slice(&request.body).unwrap()
    };
    assert_eq!(body("POST"), json!({"title": "Emma", "authors": ["J. A."]}));
    assert_eq!(body("PATCH"), json!({"isbn": "5"}));
    let update = seen.iter().find(|one| one.method == "PATCH").unwrap();
    assert_eq!(update.target, "/v1/shelves/1/books/2?updateMask=isbn");
}

#[test]
fn requests_that_are_no_calls_pass_as_they_are() {
    let origin = Origin::start(answer);
    let gateway = start(&origin);
    let reply = gateway.client().get("/v1/shelves/1/books/2");
    assert_eq!((reply.status, reply.header("x-version")), (200, Some("3")));
    assert!(reply.text().contains("\"more\": [1]"), "{}", reply.text());
}

#[test]
fn a_service_that_is_away_is_unavailable() {
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ library: {{ endpoints: [\"{}\"], descriptors: [\"{}/library.proto\"] }} }}\n\
         routes: {{ library: {{ match: {{ path: \"/*\" }}, to: {{ grpc: {{ service: library, speaks: json }} }} }} }}",
        Origin::nobody(),
        protos()
    )));
    let mut client = gateway.client();
    let call = "POST /library.v1.Library/GetBook HTTP/1.1\r\nHost: test\r\nContent-Type: application/grpc\r\n\
                TE: trailers\r\nContent-Length: 26\r\n\r\n\0\0\0\0\x15\n\x13shelves/1/books/abcd";
    let reply = client.send(call).reply();
    assert_eq!(reply.header("grpc-status"), Some("14"), "{}", reply.text());
}
