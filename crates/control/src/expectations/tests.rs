#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
use lintel_config::{Loader, Style};

use super::*;

const GATEWAY: &str = r#"
version: 1
listeners:
  plain: { bind: 0.0.0.0:80, trusted_proxies: [10.0.0.0/8], limits: { body: 8B, uri_bytes: 64B } }
  secure:
    bind: 0.0.0.0:443
    tls: { certificates: [{ cert: not/there.pem, key: not/there.key }] }
services:
  orders: { endpoints: ["https://orders.internal:8443"], host: endpoint, protocol: grpc }
  next: { endpoints: [http://next.internal] }
  off: { endpoints: [http://off.internal] }
routes:
  to_https:
    match: { listeners: [plain], host: "*.example.com" }
    to: { redirect: { to: "https://${request.host}${request.target}", status: 308 } }
  orders:
    match: { path: "/v1/orders/*", methods: [GET, POST] }
    policies:
      access_log: { to: /nowhere/at/all.log }
      rewrite: { strip_prefix: /v1 }
      headers:
        request: { set: { Authorization: "Bearer ${env.TOKEN}", X-Client: "${client.ip}" } }
        response: { remove: [X-Powered-By] }
    to: { split: { services: { orders: 1, next: 1, off: 0 } } }
  only:
    match: { path: /only, headers: { X-Beta: { present: true } } }
    to: orders
  canary:
    match: { path: /canary }
    to: { split: { services: { next: 100, off: 0 }, override: { header: X-Variant } } }
  hello: { match: { host: hello.example.org }, to: { respond: { template: "hello ${client.ip}" } } }
errors: { "414": { content_type: text/plain, body: "too long" } }
"#;

/// The outcomes of these tests, one a line.
fn outcomes(tests: &str) -> Vec<Outcome> {
    let text = format!("{GATEWAY}tests:\n{tests}");
    let loader = Loader::new().environment([("TOKEN", "s3cr3t-value")]);
    let loaded = loader
        .without_files()
        .load_texts([("gateway.yaml".into(), &*text)])
        .unwrap_or_else(|report| panic!("{}", report.render(&Style::plain())));
    run(loaded).unwrap()
}

fn hold(tests: &str) {
    for outcome in outcomes(tests) {
        assert!(outcome.holds(), "{outcome:#?}");
    }
}

/// The only test's mismatches as `what: expected, actual`.
fn differ(test: &str) -> (Vec<String>, Vec<String>) {
    let all = outcomes(test);
    let [outcome] = all.as_slice() else {
        panic!("{all:?}");
    };
    let found = outcome.mismatches.iter();
    let shown = found.map(|found| format!("{}: {}, {}", found.what, found.expected, found.actual));
    let why = outcome.mismatches.iter().flat_map(|found| &found.why);
    (shown.collect(), why.cloned().collect())
}

#[test]
fn a_request_passes_the_whole_gateway() {
    hold(
        r#"
  - request: { method: POST, url: "/v1/orders/7?full=1", body: "four" }
    answer: { status: 201, headers: { X-Powered-By: php, Location: /orders/7 }, body: made }
    expect:
      route: orders
      service: next
      status: 201
      headers: { X-Powered-By: { absent: true }, Location: /orders/7, X-Request-Id: { present: true } }
      body: made
      upstream:
        method: POST
        path: /orders/7?full=1
        headers: { X-Client: 192.0.2.1, Authorization: { prefix: "Bearer s3" }, Via: { regex: "1.1 .*" } }
        body: four
  - { request: { url: /v1/orders/7 }, expect: { service: orders, upstream: { body: "" } } }
"#,
    );
}

#[test]
fn splits_send_where_they_say() {
    hold(
        r#"
  - { request: { url: /canary }, expect: { service: next } }
  - { request: { url: /canary, headers: { X-Variant: off } }, expect: { service: off } }
"#,
    );
    let (found, _) = differ("  - { request: { url: /canary }, expect: { service: off } }");
    assert_eq!(found, ["service: `off`, `next`"]);
}

#[test]
fn services_are_told_the_host_that_they_would_be_told() {
    hold(
        r#"
  - request: { url: /only, headers: { X-Beta: "1" } }
    expect: { service: orders, upstream: { headers: { Host: "orders.internal:8443" } } }
"#,
    );
}

#[test]
fn listeners_are_chosen_by_scheme_name_and_match() {
    hold(
        r#"
  - { request: { url: "http://a.example.com/x" }, expect: { route: to_https, status: 308, headers: { Location: "https://a.example.com/x" } } }
  - { request: { url: "https://a.example.com/v1/orders/" }, expect: { route: orders, upstream: { headers: { X-Forwarded-Proto: https } } } }
  - { request: { url: /v1/orders/, listener: secure }, expect: { upstream: { headers: { X-Forwarded-Proto: https } } } }
  - { request: { url: /v1/orders/ }, expect: { upstream: { headers: { X-Forwarded-Proto: http } } } }
  - { request: { url: "https://a.example.com/" }, expect: { status: 404 } }
"#,
    );
}

#[test]
fn clients_come_from_where_they_say() {
    hold(
        r#"
  - { request: { url: "http://hello.example.org/" }, expect: { body: hello 192.0.2.1 } }
  - { request: { url: /, headers: { Host: hello.example.org }, client_ip: "2001:db8::7" }, expect: { body: "hello 2001:db8::7" } }
  - { request: { url: /, headers: { Host: hello.example.org, X-Forwarded-For: 203.0.113.9 }, client_ip: 10.1.1.1 }, expect: { body: hello 203.0.113.9 } }
  - { request: { url: /, headers: { Host: hello.example.org, X-Forwarded-For: 203.0.113.9 } }, expect: { body: hello 192.0.2.1 } }
"#,
    );
}

#[test]
fn the_gateway_refuses_as_it_would() {
    hold(
        r#"
  - { request: { url: /nowhere }, expect: { status: 404, headers: { Content-Type: application/problem+json } } }
  - { request: { url: /v1/orders/, method: DELETE }, expect: { status: 405, headers: { Allow: "GET, HEAD, POST" } } }
  - { request: { url: /v1/orders/, method: POST, body: "far too much" }, expect: { status: 413 } }
  - { request: { url: "/v1/%00" }, expect: { status: 400 } }
  - { request: { url: "/v1/orders/0123456789012345678901234567890123456789012345678901234567890123456789" }, expect: { status: 414, body: too long } }
"#,
    );
}

#[test]
fn a_wrong_route_is_explained() {
    let (found, why) =
        differ("  - { request: { url: /only }, expect: { route: only, service: orders } }");
    assert_eq!(found, ["route: `only`, none", "service: `orders`, none"]);
    assert!(
        why.iter()
            .any(|line| line.contains("only") && line.contains("x-beta")),
        "{why:?}"
    );
}

#[test]
fn a_request_that_is_not_forwarded_says_why() {
    let (found, why) = differ(
        "  - { request: { url: /v1/orders/, method: POST, body: far too much }, expect: { status: 200, upstream: {} } }",
    );
    assert_eq!(
        found,
        [
            "status: 200, 413",
            "upstream: a request, none: it was not forwarded"
        ]
    );
    assert!(why[0].contains("body_too_large"), "{why:?}");
}

#[test]
fn every_part_of_an_answer_is_looked_at() {
    let (found, _) = differ(
        r#"
  - request: { url: /v1/orders/7 }
    answer: { headers: { X-A: "1" }, body: one }
    expect:
      service: off
      headers: { X-A: "2", X-B: { present: true } }
      body: { prefix: two }
      upstream: { method: POST, path: /7, headers: { X-Client: { absent: true } }, body: x }
"#,
    );
    assert_eq!(
        found,
        [
            "service: `off`, `next` or `orders`",
            "header `x-a`: `2`, `1`",
            "header `x-b`: any value, none",
            "body: a value that begins with `two`, `one`",
            "upstream method: `POST`, `GET`",
            "upstream path: `/7`, `/orders/7`",
            "upstream header `x-client`: none, `192.0.2.1`",
            "upstream body: `x`, none",
        ]
    );
}

#[test]
fn values_from_outside_are_not_shown() {
    let (found, _) = differ(
        r#"
  - { request: { url: /v1/orders/7 }, expect: { upstream: { headers: { Authorization: "Bearer ${env.TOKEN}!" } } } }
"#,
    );
    assert_eq!(
        found,
        ["upstream header `authorization`: `Bearer ***!`, `Bearer ***`"]
    );
}

#[test]
fn an_outcome_says_where_it_is_written() {
    let all = outcomes(
        "  - { request: { url: / }, expect: { status: 404 } }\n  - name: second\n    request: { url: / }\n    expect: { status: 200 }\n",
    );
    let lines = GATEWAY.matches('\n').count();
    assert_eq!((&*all[0].name, all[0].line), ("GET /", lines + 2));
    assert_eq!((&*all[1].name, all[1].line), ("second", lines + 3));
    assert_eq!(all[1].file, "gateway.yaml");
}

/// The library of the examples, whose calls are made of requests.
fn library(tests: &str) -> String {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/protos");
    format!(
        "version: 1\nlisteners: {{ a: {{ bind: 127.0.0.1:0 }} }}\n\
         services: {{ library: {{ endpoints: [http://a], protocol: grpc, descriptors: [{protos}/library.proto] }} }}\n\
         routes: {{ library: {{ match: {{ path: /v1/* }}, to: {{ grpc: {{ service: library }} }} }} }}\n\
         tests:\n{tests}"
    )
}

fn of_library(tests: &str) -> Vec<Outcome> {
    let text = library(tests);
    let loaded = Loader::new().load_texts([("gateway.yaml".into(), &*text)]);
    let loaded = loaded.unwrap_or_else(|report| panic!("{}", report.render(&Style::plain())));
    run(loaded).unwrap()
}

#[test]
fn grpc_services_answer_in_json() {
    let outcomes = of_library(
        r#"
  - request: { url: /v1/shelves/1/books/2 }
    answer: { body: "{\"title\": \"Ü\", \"isbn\": 7}", headers: { X-Version: "3" } }
    expect:
      service: library
      status: 200
      headers: { Content-Type: application/json, X-Version: "3", Grpc-Status: { absent: true } }
      body: '{"title":"Ü","isbn":"7"}'
      upstream: { method: POST, path: /library.v1.Library/GetBook, body: '{"name":"shelves/1/books/2"}' }
  - { request: { url: /v1/isbn/7 }, expect: { status: 200, body: "{}", upstream: { body: '{"isbn":"7"}' } } }
  - request: { url: /v1/shelves/1/books:watch }
    answer: { body: "{\"title\": \"a\"}\n\n{\"title\": \"b\"}\n" }
    expect: { status: 200, body: "[{\"title\":\"a\"},\n{\"title\":\"b\"}]" }
  - request: { method: POST, url: /v1/shelves/1/books:import, body: "{\"title\": \"a\"}\n{\"title\": \"b\"}" }
    answer: { body: '{"books": 2}' }
    expect:
      body: '{"books":2}'
      upstream: { body: "{\"parent\":\"shelves/1\",\"book\":{\"title\":\"a\"}}\n{\"book\":{\"title\":\"b\"}}" }
  - request: { url: /v1/shelves/1/books/2 }
    answer: { grpc: { status: not_found, message: "no bücher, 100%" } }
    expect: { status: 404, body: { regex: '.*"detail":"no bücher, 100%".*"grpc_status":5.*' } }
  - request: { url: /v1/shelves/1/books/2 }
    answer: { status: 503, body: down }
    expect: { status: 503, headers: { Content-Type: application/problem+json } }
"#,
    );
    for outcome in &outcomes {
        assert!(outcome.holds(), "{outcome:#?}");
    }
    assert_eq!(outcomes.len(), 6);
}

#[test]
fn an_answer_that_the_method_has_not_is_told() {
    let outcomes = of_library(
        "  - request: { url: /v1/isbn/7 }\n    answer: { body: '{\"titel\": 1}' }\n    expect: { status: 200 }\n",
    );
    let found = &outcomes[0].mismatches[0];
    assert_eq!(found.what, "the stand-in's answer");
    assert!(
        found.actual.starts_with("no `library.v1.Book`: `/titel`"),
        "{}",
        found.actual
    );
}

#[test]
fn descriptors_are_compiled_once_a_load() {
    let folder = tempfile::tempdir().unwrap();
    let proto = folder.path().join("a.proto");
    let source = "syntax = \"proto3\"; package a; message M { string x = 1; }\n\
                  service S { rpc Get(M) returns (M); }";
    std::fs::write(&proto, source).unwrap();
    let text = format!(
        "version: 1\nlisteners: {{ a: {{ bind: 127.0.0.1:0 }} }}\n\
         services: {{ s: {{ endpoints: [http://a], protocol: grpc, descriptors: [{}] }} }}\n\
         routes: {{ s: {{ match: {{ path: /* }}, to: {{ grpc: {{ service: s, bind: {{ a.S.Get: [{{ method: GET, path: /a }}] }} }} }} }} }}",
        proto.display()
    );
    let loaded = Loader::new().load_texts([("gateway.yaml".into(), &*text)]);
    let loaded = loaded.unwrap_or_else(|report| panic!("{}", report.render(&Style::plain())));
    std::fs::remove_file(&proto).unwrap();
    assert!(lintel_config::build(&loaded, 1, None).is_ok());
}
