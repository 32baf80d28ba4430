//! The same service behind the gateway and behind Envoy's `grpc_json_transcoder`, with the same
//! descriptors: the same answers. Where they differ, the difference is named here with its reason.

use std::path::Path;

use lintel_testkit::{Client, Reply};
use serde_json::Value;

use crate::support::{Gateway, Peer, text, with_routes};

struct Scene {
    _server: Peer,
    gateway: Gateway,
    envoy: Peer,
    _folder: tempfile::TempDir,
}

/// Requests, one a line, whose answers are the same.
const CASES: &str = include_str!("transcoding_cases.txt");

/// A request, ours, Envoy's, and why. Besides, Envoy has no `response_body` but for `HttpBody`.
type Difference = (&'static str, &'static str, &'static str, &'static str);

const DIFFERENCES: &[Difference] = &[
    (
        r#"POST /tell {"optionalInt32": "1e2"}"#,
        r#"200 application/json {"text":"0864"}"#,
        "400",
        r#"exponents are numbers in quotes, too (ProtoJSON, "JSON Options")"#,
    ),
    (
        r#"POST /tell {"optionalBool": "true"}"#,
        "400",
        r#"200 application/json {"text":"6801"}"#,
        "a boolean is `true` or `false`",
    ),
    (
        r#"POST /tell {"optionalColour": "2"}"#,
        "400",
        r#"200 application/json {"text":"a80102"}"#,
        "a text is the name of a value",
    ),
    (
        r#"POST /tell {"repeatedInt32": 1}"#,
        "400",
        r#"200 application/json {"text":"fa010101"}"#,
        "a repeated field is an array",
    ),
    (
        r#"POST /tell {"repeatedInt32": [1, null]}"#,
        "400",
        r#"200 application/json {"text":"fa010101"}"#,
        "null is no value of an array",
    ),
    (
        r#"POST /tell {"mapString": {"a": null}}"#,
        "400",
        r#"200 application/json {"text":"aa04050a01611200"}"#,
        "null is no value of a map",
    ),
    (
        r#"POST /tell {"mapBool": {"yes": true}}"#,
        "400",
        r#"200 application/json {"text":"a2040408011001"}"#,
        "the keys are `true` and `false`",
    ),
    (
        r#"POST /tell {"nothing": 1}"#,
        "400",
        "200 application/json {}",
        "what does not exist is refused; `unknown: ignore` passes over it",
    ),
    (
        r#"POST /tell {"optionalInt32": 1, "optionalInt32": 2}"#,
        "400",
        r#"200 application/json {"text":"0802"}"#,
        "a field that is there twice may mean two things",
    ),
    (
        r#"POST /tell {"optionalInt32": 1, "optional_int32": 2}"#,
        "400",
        r#"200 application/json {"text":"0802"}"#,
        "a field that is there twice may mean two things",
    ),
    (
        r#"POST /tell {"optionalInt32": 1,}"#,
        "400",
        r#"200 application/json {"text":"0801"}"#,
        "RFC 8259 has no comma there",
    ),
    (
        "POST /tell {optionalInt32: 1}",
        "400",
        r#"200 application/json {"text":"0801"}"#,
        "RFC 8259 has names in quotes",
    ),
    (
        "POST /tell {'optionalInt32': 1}",
        "400",
        r#"200 application/json {"text":"0801"}"#,
        "RFC 8259 has double quotes",
    ),
    (
        "POST /tell {\"optionalString\": \"a\tb\"}",
        "400",
        r#"200 application/json {"text":"7203610962"}"#,
        "RFC 8259 §7: control characters are escaped",
    ),
    (
        "GET /tell?optional_int32=5&optionalString=a%20b+c",
        r#"200 application/json {"text":"080572056120622063"}"#,
        r#"200 application/json {"text":"080572056120622b63"}"#,
        "a plus sign is a space in queries of forms (WHATWG URL)",
    ),
    (
        "GET /tell?optional_bool=yes",
        "400",
        r#"200 application/json {"text":"6801"}"#,
        "a boolean is `true` or `false`",
    ),
    (
        "GET /tell?optional_int32=1&optional_int32=2",
        "400",
        r#"200 application/json {"text":"0802"}"#,
        "what is there twice may mean two things",
    ),
    (
        "GET /tell?optional_string=%FF",
        "400",
        r#"500 13 "Exception deserializing request!" null"#,
        "texts of protobuf are UTF-8; the service is not asked",
    ),
    (
        "GET /tell/abc?optional_string=other",
        "400",
        r#"200 application/json {"text":"72056f74686572"}"#,
        "a parameter can't contradict the path",
    ),
    (
        "GET /tell/",
        "404",
        "200 application/json {}",
        "a variable has at least one character (google/api/http.proto)",
    ),
    (
        r#"PUT /inner/abc {"a": 5, "nothing": 1}"#,
        "400",
        r#"200 application/json {"text":"72036162639201020805"}"#,
        "what does not exist is refused",
    ),
    (
        "PUT /inner/abc",
        r#"200 application/json {"text":"7203616263"}"#,
        r#"200 application/json {"text":"7203616263920100"}"#,
        "no body says nothing",
    ),
    (
        "PUT /inner/abc?optional_inner.a=5 {}",
        "400",
        r#"200 application/json {"text":"72036162639201020805"}"#,
        "a field of the body is no parameter (google/api/http.proto)",
    ),
    (
        r#"POST /list "a""#,
        "400",
        r#"200 application/json {"text":"e2020161"}"#,
        "a repeated field is an array",
    ),
    (
        "POST /tell?optional_int32=5 {}",
        "400",
        r#"200 application/json {"text":"0805"}"#,
        r#"with `body: "*"` there are no parameters (google/api/http.proto)"#,
    ),
    (
        "DELETE /tell",
        "405",
        "404",
        "RFC 9110 §15.5.6: the path is known, the method is not",
    ),
    (
        "GET /echo",
        "405",
        "404",
        "RFC 9110 §15.5.6: the path is known, the method is not",
    ),
    (
        r#"POST /echo {"optionalDouble": 1e100, "optionalFloat": 3.4028235e38}"#,
        r#"200 application/json {"optionalFloat":3.4028235e+38,"optionalDouble":1e+100}"#,
        r#"200 application/json {"optionalFloat":3.4028234700000002e+38,"optionalDouble":1e+100}"#,
        "the shortest number that reads back as the same",
    ),
    (
        "GET /fail/5",
        r#"404 5 "" null"#,
        "404 5 null null",
        "no message is an empty one",
    ),
    (
        r#"POST /collect {"text": "a"}"#,
        r#"200 application/json {"text":"a"}"#,
        "400",
        "a stream is a value a line; Envoy takes an array",
    ),
];

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let descriptors = text(folder.path().join("all.pb"));
        let protos = text(Path::new(env!("CARGO_MANIFEST_DIR")).join("../grpc/src/tests"));
        let server = Peer::start("transcoding_server.py", &[&descriptors, &protos]);
        let port = server.port();
        let gateway = Gateway::start(&with_routes(&format!(
            "services: {{ all: {{ endpoints: [\"http://127.0.0.1:{port}\"], protocol: grpc, descriptors: [\"{descriptors}\"] }} }}\n\
             routes: {{ all: {{ match: {{ path: \"/*\" }}, timeout: 60s, to: {{ grpc: {{ service: all }} }} }} }}"
        )));
        let envoy = Peer::start(
            "envoy_proxy.py",
            &["transcoder", &descriptors, &port.to_string()],
        );
        Self {
            _server: server,
            gateway,
            envoy,
            _folder: folder,
        }
    }

    /// Ours, and Envoy's.
    fn both(&self, case: &str) -> (String, String) {
        let theirs = Client::connect(([127, 0, 0, 1], self.envoy.port()).into());
        (
            outcome(&ask(self.gateway.client(), case)),
            outcome(&ask(theirs, case)),
        )
    }
}

/// `METHOD TARGET BODY`.
fn ask(mut client: Client, case: &str) -> Reply {
    let mut parts = case.splitn(3, ' ');
    let mut part = || parts.next().unwrap_or_default();
    let (method, target, body) = (part(), part(), part());
    let length = body.len();
    client
        .send(format!(
            "{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
        .reply()
}

/// Status and body, in words that both have. What a proxy refuses is told apart by the status alone.
fn outcome(reply: &Reply) -> String {
    let (status, media) = (
        reply.status,
        reply.header("content-type").unwrap_or_default(),
    );
    let value = serde_json::from_str::<Value>(&reply.text()).unwrap_or_default();
    if status == 200 {
        return match media {
            "application/json" => format!("{status} {media} {}", tidy(value)),
            _ => format!("{status} {media} {}", reply.text()),
        };
    }
    let (code, message) = match media {
        "application/problem+json" => ("grpc_status", "detail"),
        _ => ("code", "message"),
    };
    if !value[code].is_number() {
        return status.to_string();
    }
    format!(
        "{status} {} {} {}",
        value[code], value[message], value["details"]
    )
}

/// Numbers in one spelling: `1.0` is `1`.
fn tidy(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(tidy).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, tidy(value)))
            .collect(),
        other => other,
    }
}

#[test]
fn the_answers_are_those_of_envoy() {
    let scene = Scene::new();
    let mut wrong = Vec::new();
    for case in CASES.lines() {
        let (ours, theirs) = scene.both(case);
        if ours != theirs {
            wrong.push(format!("{case}\n  ours:   {ours}\n  Envoy's: {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where Envoy takes less exactly, or something else, than the specifications say.
#[test]
fn what_differs_from_envoy_is_named() {
    let scene = Scene::new();
    let mut wrong = Vec::new();
    for (case, ours, theirs, why) in DIFFERENCES {
        let found = scene.both(case);
        if found != ((*ours).to_owned(), (*theirs).to_owned()) {
            wrong.push(format!("{case}: {why}\n  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
