#![allow(clippy::unwrap_used)]

use http::{HeaderValue, Request, Response, header};
use lintel_http::Body;
use lintel_kernel::Flow;
use serde_json::json;

use super::origins::Origins;
use crate::{Context, Depth, testing};

#[test]
fn origins_are_what_they_are_and_no_more() {
    let mut origins = Origins::default();
    for origin in [
        "https://a.example",
        "HTTP://b.example:8080",
        "https://*.c.example",
        "https://d.example:443",
        "http://*.d.example:80",
        "http://[0:0::1]:3000",
    ] {
        origins.add(origin).unwrap();
    }
    for (origin, welcome) in [
        ("https://a.example", true),
        ("http://b.example:8080", true),
        ("https://x.c.example", true),
        ("https://x.y.c.example", true),
        ("http://a.example", false),
        ("https://a.example:8443", false),
        ("https://a.example.evil", false),
        ("https://evila.example", false),
        ("http://b.example", false),
        ("https://c.example", false),
        ("https://.c.example", false),
        ("https://evil/.c.example", false),
        ("https://evil@x.c.example", false),
        ("http://x.c.example", false),
        ("https://d.example", true),
        ("http://x.d.example", true),
        ("http://[::1]:3000", true),
        ("http://[::1]", false),
        ("null", false),
        ("", false),
    ] {
        let value = HeaderValue::from_static(origin);
        assert_eq!(origins.welcome(&value), welcome, "{origin}");
    }
    for bad in [
        "",
        "null",
        "a.example",
        "https://",
        "https://a/b",
        "https://*",
        "https://a:x",
        "https://a:99999",
        "http://::1",
        "http://[::1",
        "http://[a.example]",
        "https://*.a:",
        "https://a.*.b",
    ] {
        assert!(Origins::default().add(bad).is_err(), "{bad}");
    }
}

#[test]
fn caches_are_told_and_services_are_not_believed() {
    let answer = |config: serde_json::Value, origin: Option<&str>| {
        let chain = testing::chain_of("cors", config, &Context::default());
        let mut request = Request::get("/");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let (mut exchange, mut depth) = (testing::of(request), Depth::default());
        let flow = chain.on_request(&mut depth, &mut exchange, &mut Body::empty());
        assert!(matches!(flow, Flow::Next));
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        let evil = HeaderValue::from_static("https://evil.example");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, evil);
        assert!(!chain.on_response(&mut depth, &mut exchange, &mut response));
        let text = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        (
            text(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            text(header::VARY),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    let own = json!({ "origins": ["https://a.example"] });
    let evil = Some("https://evil.example");
    assert_eq!(
        answer(own.clone(), Some("https://a.example")),
        (some("https://a.example"), some("origin"))
    );
    assert_eq!(answer(own.clone(), evil), (None, some("origin")));
    assert_eq!(answer(own, None), (None, some("origin")));
    let all = json!({ "origins": ["*"] });
    assert_eq!(answer(all.clone(), evil), (some("*"), None));
    assert_eq!(answer(all, None), (None, None));
}
