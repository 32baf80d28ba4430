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
        ("POST", "/v1/shelves/1/books:import") => {
            let count = seen.body.iter().filter(|byte| **byte == b'\n').count();
            Answer::new(200, &[JSON], format!("{{\"books\": {count}}}"))
        }
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
    let import = seen
        .iter()
        .find(|one| one.target.ends_with(":import"))
        .unwrap();
    assert_eq!(import.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(import.body, b"{\"title\":\"a\"}\n{\"title\":\"b\"}\n{}\n");
    let body = |method: &str| -> Value {
        let single = |one: &&Seen| one.method == method && one.target != import.target;
        let request = seen.iter().find(single).unwrap();
        assert_eq!(request.header("content-type"), Some("application/json"));
        serde_json::from_slice(&request.body).unwrap()
    };
    assert_eq!(body("POST"), json!({"title": "Emma", "authors": ["J. A."]}));
    assert_eq!(body("PATCH"), json!({"isbn": "5"}));
    let update = seen.iter().find(|one| one.method == "PATCH").unwrap();
    assert_eq!(update.target, "/v1/shelves/1/books/2?updateMask=isbn");
}

/// The service of grpcio behind two gateways: one that speaks JSON to it, and one that speaks JSON to that.
#[test]
fn streams_go_both_ways_at_once() {
    let library = Peer::start("library_server.py", &[&protos()]);
    let url = format!("http://127.0.0.1:{}", library.port());
    let services = |url: &str, more: &str| {
        format!(
            "services: {{ library: {{ endpoints: [\"{url}\"], descriptors: [\"{}/library.proto\"]{more} }} }}\n",
            protos()
        )
    };
    let rest = Gateway::start(&with_routes(&format!(
        "{}routes: {{ library: {{ match: {{ path: \"/*\" }}, to: {{ grpc: {{ service: library }} }} }} }}",
        services(&url, ", protocol: grpc")
    )));
    let url = format!("http://{}", rest.public());
    let gateway = Gateway::start(&with_routes(&format!(
        "{}routes: {{ library: {{ match: {{ path: \"/*\" }}, to: {{ grpc: {{ service: library, speaks: json }} }} }} }}",
        services(&url, "")
    )));
    let port = gateway.public().port().to_string();
    Peer::run("library_streams.py", &[&protos(), &port]);
}

#[test]
fn scripts_in_browsers_reach_it_too() {
    let origin = Origin::start(answer);
    let (url, protos) = (origin.url(), protos());
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ library: {{ endpoints: [\"{url}\"], descriptors: [\"{protos}/library.proto\"] }} }}\n\
         routes: {{ library: {{ match: {{ path: \"/*\" }}, to: {{ grpc: {{ service: library, speaks: json, web: true }} }} }} }}"
    )));
    let call = |media: &str, body: &[u8]| {
        let head = format!(
            "POST /library.v1.Library/GetBook HTTP/1.1\r\nHost: test\r\nContent-Type: {media}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        let reply = gateway.client().send(&request).reply();
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some(media))
        );
        reply
    };
    let message = b"\0\0\0\0\x13\n\x11shelves/1/books/2";
    let reply = call("application/grpc-web+proto", message);
    let trailers = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    assert!(reply.body.ends_with(trailers), "{:?}", reply.text());
    assert!(reply.body.starts_with(b"\0\0\0\0"), "{:?}", reply.text());
    // The same in base64, each part by itself.
    let reply = call(
        "application/grpc-web-text",
        b"AAAAABMKEXNoZWx2ZXMvMS9ib29rcy8y",
    );
    assert!(
        reply.text().ends_with("gAAAABBncnBjLXN0YXR1czogMA0K"),
        "{}",
        reply.text()
    );
    let gone = call(
        "application/grpc-web",
        b"\0\0\0\0\x19\n\x17shelves/1/books/missing",
    );
    assert_eq!(gone.header("grpc-status").or(Some("5")), Some("5"));
    assert!(gone.header("grpc-status").is_some() || gone.text().contains("grpc-status: 5"));
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
