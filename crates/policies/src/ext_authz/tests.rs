#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Flow};
use lintel_upstream::{Service, ServiceSpec, service::EndpointSpec};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::{
    config::Config,
    grpc,
    messages::{
        CheckResponse, DeniedHttpResponse, HeaderValue as Field, HeaderValueOption, HttpResponse,
        HttpStatus, OkHttpResponse, Status,
    },
    reject::NAME,
};
use crate::{
    Context, Policy as _, Reply, ServiceRef, testing,
    verdict::{self, Verdict},
};

fn context() -> Context {
    let endpoint = EndpointSpec::http(([127, 0, 0, 1], 1).into());
    let service = Service::build(ServiceSpec::new("authz", vec![endpoint]), None).unwrap();
    Context {
        services: Arc::new([("authz".to_owned(), service)].into()),
        ..Context::default()
    }
}

fn faults(value: Value) -> Vec<(String, String)> {
    let config: Config = serde_json::from_value(value).unwrap();
    let faults = config.build(&context()).err().expect("a mistake");
    faults
        .into_iter()
        .map(|fault| (fault.path.join("."), fault.message))
        .collect()
}

#[test]
fn mistakes_say_what_to_write() {
    let with = |more: Value| {
        let mut config = json!({ "service": "authz", "http": { "path": "/verify" } });
        let more = more.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(more);
        config
    };
    for (value, path, words) in [
        (
            json!({ "service": "authz" }),
            "",
            "how the service is asked",
        ),
        (with(json!({ "grpc": {} })), "http", "not both"),
        (
            json!({ "service": "authz", "grpc": {} }),
            "service",
            "gRPC needs HTTP/2",
        ),
        (with(json!({ "service": "other" })), "service", "no service"),
        (with(json!({ "timeout": "0s" })), "timeout", "no time"),
        (with(json!({ "when": "claims.a ==" })), "when", "CEL"),
        (
            with(json!({ "upstream_headers": ["a b"] })),
            "upstream_headers.0",
            "not a header name",
        ),
        (
            with(json!({ "upstream_headers": ["X-A", "Host"] })),
            "upstream_headers.1",
            "may not be changed",
        ),
        (with(json!({ "http": {} })), "http", "at which path"),
        (
            with(json!({ "http": { "path": "verify" } })),
            "http.path",
            "not a path",
        ),
        (
            with(json!({ "http": { "path": "/a", "path_prefix": "/b" } })),
            "http.path_prefix",
            "together",
        ),
        (
            with(json!({ "http": { "path_prefix": "/b?c" } })),
            "http.path_prefix",
            "query",
        ),
        (
            with(json!({ "http": { "path": "/a", "add": { "X-A": "nope" } } })),
            "http.add.X-A",
            "no attribute",
        ),
        (
            with(json!({ "http": { "path": "/a", "headers": ["X-*", "a b"] } })),
            "http.headers.1",
            "not a header name",
        ),
        (
            with(json!({ "cache": { "by": ["nope"], "ttl": "1s" } })),
            "cache.by.0",
            "no attribute",
        ),
        (
            with(json!({ "cache": { "by": [], "ttl": "1s" } })),
            "cache.by",
            "alike",
        ),
        (
            with(
                json!({ "cache": { "by": ["client.ip"], "ttl": "1s" }, "body": { "max": "1KiB" } }),
            ),
            "cache",
            "body alone",
        ),
    ] {
        let shown = value.to_string();
        let found = faults(value);
        assert!(
            found
                .iter()
                .any(|(at, message)| at == path && message.contains(words)),
            "{shown}: {found:?}"
        );
    }
}

#[test]
fn the_service_is_named() {
    let config: Config = serde_json::from_value(json!({ "service": "authz", "grpc": {} })).unwrap();
    let named = super::ExtAuthz::services(&config);
    let (path, name) = (vec!["service"], "authz");
    assert_eq!(named, [ServiceRef { path, name }]);
}

fn reply(body: Bytes, status: &'static str) -> Reply {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    Reply {
        head: Response::new(()).into_parts().0,
        body,
        trailers,
    }
}

fn framed(message: &CheckResponse) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut bytes).unwrap();
    bytes.freeze()
}

fn answer(code: i32, http_response: Option<HttpResponse>) -> Arc<Verdict> {
    let status = Some(Status { code });
    let message = CheckResponse {
        status,
        http_response,
    };
    Arc::new(grpc::verdict(&reply(framed(&message), "0")).unwrap())
}

fn field(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(Field {
            key: name.to_owned(),
            value: value.to_owned(),
            raw_value: Bytes::new(),
        }),
        append: None,
        append_action: 0,
    }
}

fn request() -> Exchange {
    testing::of(
        Request::get("/a?b=1")
            .header("host", "a")
            .header("x-a", "1"),
    )
}

#[test]
fn nothing_that_frames_or_routes_is_changed() {
    let fields = [
        "Host",
        "content-length",
        "Transfer-Encoding",
        ":path",
        "a b",
        "",
    ];
    let ok = OkHttpResponse {
        headers: fields.map(|name| field(name, "0")).into(),
        headers_to_remove: fields.map(str::to_owned).into(),
        response_headers_to_add: vec![field("Connection", "close"), field("X-A", "a\nb")],
        ..OkHttpResponse::default()
    };
    let verdict = answer(0, Some(HttpResponse::Ok(ok)));
    let mut exchange = request();
    let before = exchange.request.headers.clone();
    assert!(matches!(verdict.apply(NAME, &mut exchange), Flow::Next));
    assert_eq!(exchange.request.headers, before);
    assert_eq!(exchange.request.method, Method::GET);
    let mut headers = HeaderMap::new();
    verdict::finish(NAME, &exchange, &mut headers);
    assert!(headers.is_empty());
}

#[test]
fn grpc_callers_are_refused_as_such() {
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: 401 }),
        headers: vec![field("content-type", "text/plain"), field("x-why", "no")],
        body: "who are you".into(),
    };
    let verdict = answer(7, Some(HttpResponse::Denied(denied)));
    let mut exchange = request();
    exchange.grpc = true;
    let Flow::Refuse(refusal) = verdict.apply(NAME, &mut exchange) else {
        panic!("not refused");
    };
    assert_eq!((refusal.status.as_u16(), refusal.grpc as u8), (401, 16));
    assert_eq!(refusal.detail, "who are you");
    let headers = refusal.headers.unwrap();
    assert_eq!(headers["x-why"], "no");
    assert!(!headers.contains_key("content-type"));
    // Others get the body, and the refusal is on record.
    let mut exchange = request();
    let Flow::Answer(response) = verdict.apply(NAME, &mut exchange) else {
        panic!("not answered");
    };
    assert_eq!(response.status(), 401);
    assert_eq!(exchange.refused.unwrap().code, "denied");
}

#[test]
fn a_status_that_nobody_may_be_told_is_no_answer() {
    for code in [-1, 100, 199, 600, 70_000] {
        let message = CheckResponse {
            status: Some(Status { code: 7 }),
            http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
                status: Some(HttpStatus { code }),
                ..DeniedHttpResponse::default()
            })),
        };
        let lost = grpc::verdict(&reply(framed(&message), "0")).err().unwrap();
        assert_eq!(lost.code, "answer_invalid", "{code}");
    }
}

#[test]
fn what_is_no_message_is_no_answer() {
    let whole = framed(&CheckResponse::default());
    let mut compressed = whole.to_vec();
    compressed[0] = 1;
    let twice = [&whole[..], &whole[..]].concat();
    for bytes in [
        Bytes::new(),
        Bytes::from_static(b"\0\0\0\0"),
        Bytes::from_static(b"\0\0\0\0\x01"),
        Bytes::from_static(b"\0\0\0\0\x01\xff"),
        Bytes::from_static(b"\0\xff\xff\xff\xffa"),
        compressed.into(),
        twice.into(),
    ] {
        assert!(
            grpc::verdict(&reply(bytes.clone(), "0")).is_err(),
            "{bytes:?}"
        );
    }
    assert!(grpc::verdict(&reply(whole.clone(), "0")).is_ok());
    assert!(grpc::verdict(&reply(whole.clone(), "7")).is_err());
    let mut none = reply(whole, "0");
    none.trailers.clear();
    assert!(grpc::verdict(&none).is_err());
}

proptest! {
    /// Whatever a service answers, a request is not changed in what it may not change.
    #[test]
    fn garbage_changes_nothing_it_may_not(message in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = BytesMut::new();
        bytes.put_u8(0);
        bytes.put_u32(message.len().try_into().unwrap());
        bytes.put_slice(&message);
        if let Ok(verdict) = grpc::verdict(&reply(bytes.freeze(), "0")) {
            let (mut exchange, verdict) = (request(), Arc::new(verdict));
            let flow = verdict.apply(NAME, &mut exchange);
            prop_assert_eq!(&exchange.request.headers["host"], "a");
            prop_assert_eq!(exchange.request.uri.path(), "/a");
            let mut response = Response::new(Body::empty());
            verdict::finish(NAME, &exchange, response.headers_mut());
            prop_assert_eq!(matches!(flow, Flow::Next), verdict.allows());
        }
    }
}
