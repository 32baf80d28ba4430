//! Messages that never become a request: what their clients see, and what is logged of them.

use lintel_testkit::until;
use serde_json::Value;

use crate::support::{Gateway, on_listener, with_routes};

fn configuration() -> String {
    let yaml = with_routes(
        "defaults: { policies: { access_log: { format: json, to: stdout } } }\n\
         errors: { 4xx: { body: \"page for ${response.status} ${error.code}\", content_type: text/plain } }\n\
         routes: { all: { match: { path: \"/*\" }, to: { respond: { body: own } } } }",
    );
    on_listener(&yaml, "limits: { uri_bytes: 100, header_timeout: 100ms }")
}

fn lines(gateway: &Gateway, count: usize) -> Vec<Value> {
    until("the lines are written", || {
        let text = gateway.stdout();
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        (lines.len() >= count).then_some(lines)
    })
}

#[test]
fn a_refused_message_is_answered_by_the_page_and_logged() {
    let gateway = Gateway::start(&configuration());
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(200));
    let cases = [
        (
            "PUT /x?y HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            400,
            "bad_request",
            Some("PUT"),
        ),
        (&*long, 414, "uri_too_long", Some("GET")),
        ("\x16\x03\x01\x02\0\x01\r\n\r\n", 400, "bad_request", None),
        (
            "GET /x?y HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n",
            417,
            "expectation_failed",
            Some("GET"),
        ),
        (
            "GET /slow HTTP/1.1\r\nHost: ",
            408,
            "request_timeout",
            Some("GET"),
        ),
    ];
    for (index, (message, status, code, method)) in cases.into_iter().enumerate() {
        let reply = gateway.client().send(message).reply();
        assert_eq!(reply.status, status, "{message}");
        assert_eq!(reply.text(), format!("page for {status} {code}"));
        assert_eq!(reply.header("connection"), Some("close"));
        let line = &lines(&gateway, index + 1)[index];
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["listener"], "public", "{line}");
        assert_eq!(line["client"], "127.0.0.1", "{line}");
        assert_eq!(line.get("method").and_then(Value::as_str), method, "{line}");
        assert!(line.to_string().contains(code), "{line}");
        assert_eq!(
            Some(line["request_id"].as_str().unwrap()),
            reply.header("x-request-id"),
            "{line}"
        );
    }
    let all = lines(&gateway, 5);
    assert!(all[0].to_string().contains("/x?y"), "{}", all[0]);
    assert!(all[2].get("target").is_none(), "{}", all[2]);
}

#[test]
fn without_a_page_it_is_told_what_is_wrong() {
    let gateway = Gateway::start(&configuration());
    let reply = gateway
        .client()
        .send("GET / HTTP/3.7\r\nHost: a\r\n\r\n")
        .reply();
    assert_eq!(reply.status, 505);
    assert!(reply.text().contains("\"code\":\"version_not_supported\""));
    assert_eq!(lines(&gateway, 1)[0]["status"], 505);
}
