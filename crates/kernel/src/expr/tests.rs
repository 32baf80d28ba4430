#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{borrow::Cow, rc::Rc, sync::Arc};

use http::Request;
use smallvec::SmallVec;

use super::*;
use crate::{
    Names,
    exchange::{Exchange, Params},
    testing,
    trace::{RequestId, Trace},
};

struct Fixed(Vec<Arc<str>>);

impl Names for Fixed {
    fn listener(&self, _: u16) -> &str {
        "public"
    }
    fn route(&self, _: u32) -> &str {
        "orders"
    }
    fn params(&self, _: u32) -> &[Arc<str>] {
        &self.0
    }
    fn service(&self, _: u32) -> &str {
        "orders_v1"
    }
}

fn exchange() -> Exchange {
    let request = Request::get("/orders/7?q=a%20b&empty=&x=1+2")
        .header("x-tenant", "acme")
        .header("cookie", "a=1; uid=\"u 7\"")
        .header("cookie", "late=x=y; uid=second");
    Exchange {
        names: Rc::new(Fixed(vec!["id".into()])),
        secure: true,
        id: RequestId::accept(&http::HeaderValue::from_static("req-1")).unwrap(),
        trace: Trace::begin(true),
        host: SmallVec::from_slice(b"api.example.com"),
        route: Some(0),
        params: Params {
            names: 0,
            spans: [(8, 9)].into_iter().collect(),
        },
        service: Some(0),
        ..testing::exchange(request)
    }
}

fn text(source: &str) -> Option<String> {
    let exchange = exchange();
    let expr = Expr::parse(source).unwrap();
    expr.text(Scope::request(&exchange)).map(Cow::into_owned)
}

#[test]
fn attributes_read_the_request() {
    for (source, value) in [
        ("client.ip", "192.0.2.1"),
        ("request.method", "GET"),
        ("request.path", "/orders/7"),
        ("request.host", "api.example.com"),
        ("request.scheme", "https"),
        ("request.id", "req-1"),
        ("request.headers[\"X-Tenant\"]", "acme"),
        ("request.headers['x-tenant']", "acme"),
        ("request.query[\"q\"]", "a b"),
        ("request.query[\"x\"]", "1 2"),
        ("request.query[\"empty\"]", ""),
        ("request.cookies[\"uid\"]", "u 7"),
        ("request.cookies[\"late\"]", "x=y"),
        ("path.id", "7"),
        ("route.name", "orders"),
        ("service.name", "orders_v1"),
        ("request.target", "/orders/7?q=a%20b&empty=&x=1+2"),
    ] {
        assert_eq!(text(source).as_deref(), Some(value), "{source}");
    }
    assert_eq!(text("request.headers[\"absent\"]"), None);
    assert_eq!(text("request.cookies[\"i\"]"), None);
    assert_eq!(text("response.status"), None);
}

#[test]
fn larger_expressions_are_cel() {
    for (source, value) in [
        ("request.method + \" \" + path.id", Some("GET 7")),
        (
            "request.headers[\"x-tenant\"] == \"acme\" ? \"gold\" : \"free\"",
            Some("gold"),
        ),
        ("\"x-tenant\" in request.headers", Some("true")),
        ("\"z\" in request.query", Some("false")),
        (
            "[\"GET\", \"HEAD\"].exists(m, m == request.method)",
            Some("true"),
        ),
        ("size(request.path)", Some("9")),
        ("request.cookies[\"late\"] + \"!\"", Some("x=y!")),
        ("request.headers[\"absent\"] == \"1\"", None),
    ] {
        assert_eq!(text(source).as_deref(), value, "{source}");
    }
}

#[test]
fn conditions_fail_closed() {
    let exchange = exchange();
    let holds = |source: &str| {
        Expr::parse(source)
            .unwrap()
            .holds(Scope::request(&exchange))
    };
    assert!(holds("request.path.startsWith(\"/orders/\")"));
    assert!(!holds("request.headers[\"absent\"] == \"1\""));
    assert!(!holds("request.path"));
}

#[test]
fn conditions_that_would_take_too_long_do_not_hold() {
    let holds = |source: &str, members: usize| {
        let groups: Vec<_> = (0..members).map(serde_json::Value::from).collect();
        let mut exchange = identified();
        let identity = std::rc::Rc::get_mut(exchange.identity.as_mut().unwrap()).unwrap();
        identity.claims.insert("groups".to_owned(), groups.into());
        let expr = Expr::parse(source).unwrap();
        expr.holds(Scope::request(&exchange))
    };
    let nested = "claims.groups.all(a, claims.groups.exists(b, a == b))";
    assert!(holds(nested, 300));
    assert!(!holds(nested, 200_000));
    assert!(!holds("claims.groups.all(a, a in claims.groups)", 200_000));
    assert!(holds("claims.groups.all(a, a >= 0)", 200_000));
}

#[test]
fn mistakes_name_the_nearest_attribute() {
    let message = |source: &str| Expr::parse(source).unwrap_err().to_string();
    assert_eq!(
        message("client.pi"),
        "there is no attribute `client.pi`; did you mean `client.ip`?"
    );
    assert_eq!(
        message("request.header[\"x\"]"),
        "there is no attribute `request.header`; did you mean `request.headers[\"name\"]`?"
    );
    assert_eq!(
        message("request.headers"),
        "`request.headers` needs a name; write `request.headers[\"name\"]`"
    );
    assert!(message("request.method == ").contains("is not a CEL expression"));
    assert!(message("foo == 1").contains("there is no attribute `foo`"));
    assert!(message("").contains("empty"));
}

#[test]
fn templates_interpolate() {
    let exchange = exchange();
    let render = |source: &str| {
        let template = Template::parse(source).unwrap();
        template
            .render(Scope::request(&exchange))
            .map(Cow::into_owned)
    };
    assert_eq!(render("plain").as_deref(), Some("plain"));
    assert_eq!(render("").as_deref(), Some(""));
    assert_eq!(
        render("t=${request.headers[\"x-tenant\"]};i=${path.id}").as_deref(),
        Some("t=acme;i=7")
    );
    assert_eq!(render("$${x} costs $5").as_deref(), Some("${x} costs $5"));
    assert_eq!(render("${ {\"a\": \"}\"}[\"a\"] }").as_deref(), Some("}"));
    assert_eq!(render("a ${request.headers[\"absent\"]}"), None);

    let error = Template::parse("ab ${client.pi}").unwrap_err();
    assert_eq!(error.offset, 5);
    assert_eq!(Template::parse("ab ${client.ip").unwrap_err().offset, 3);
}

fn identified() -> Exchange {
    let claims = serde_json::json!({
        "sub": "ada", "level": 3, "admin": true, "groups": ["staff", "ops"],
        "address": {"country": "uk"}, "https://example.com/tenant": "acme", "none": null,
    });
    let serde_json::Value::Object(claims) = claims else {
        unreachable!("an object")
    };
    Exchange {
        identity: Some(Rc::new(crate::Identity {
            method: "jwt",
            consumer: Some(std::sync::Arc::new(crate::Consumer {
                name: "acme".into(),
                plan: Some("gold".into()),
                groups: Vec::new(),
            })),
            claims,
            credential: Some("key-1".into()),
            scopes: Vec::new(),
        })),
        ..exchange()
    }
}

#[test]
fn attributes_read_who_is_calling() {
    let exchange = identified();
    let read = |source: &str| {
        let expr = Expr::parse(source).unwrap();
        expr.text(Scope::request(&exchange)).map(Cow::into_owned)
    };
    for (source, value) in [
        ("claims.sub", Some("ada")),
        ("claims.level", Some("3")),
        ("claims.admin", Some("true")),
        ("claims.address.country", Some("uk")),
        ("claims[\"https://example.com/tenant\"]", Some("acme")),
        ("claims.groups", None),
        ("claims.none", None),
        ("claims.absent", None),
        ("claims.sub.deeper", None),
        ("consumer.name", Some("acme")),
        ("consumer.plan", Some("gold")),
        ("auth.method", Some("jwt")),
        ("auth.credential", Some("key-1")),
    ] {
        assert_eq!(read(source).as_deref(), value, "{source}");
        assert_eq!(text(source), None, "{source} of nobody");
    }
    assert!(Expr::parse("claims").is_err());
}

#[test]
fn conditions_see_claims_as_what_they_are() {
    let (somebody, nobody) = (identified(), exchange());
    for (source, holds) in [
        ("claims.level > 2 && claims.level < 4", true),
        ("\"ops\" in claims.groups", true),
        ("\"root\" in claims.groups", false),
        (
            "claims.groups.exists(group, group.startsWith(\"st\"))",
            true,
        ),
        (
            "has(claims.address) && claims.address.country == \"uk\"",
            true,
        ),
        ("has(claims.absent)", false),
        ("\"sub\" in claims && claims.sub == \"ada\"", true),
        (
            "claims[\"https://example.com/tenant\"] == \"acme\" && claims.admin",
            true,
        ),
        ("consumer.plan == \"gold\" || false", true),
    ] {
        let expr = Expr::parse(source).unwrap();
        assert_eq!(expr.holds(Scope::request(&somebody)), holds, "{source}");
        assert!(!expr.holds(Scope::request(&nobody)), "{source} of nobody");
    }
}

#[test]
fn values_are_told_as_json() {
    let (somebody, nobody) = (identified(), exchange());
    let json = |source: &str, exchange| Expr::parse(source).unwrap().json(Scope::request(exchange));
    for (source, value) in [
        ("claims.level", "3"),
        ("claims.admin", "true"),
        ("claims.groups", r#"["staff","ops"]"#),
        ("claims.address", r#"{"country":"uk"}"#),
        (
            "claims.groups.filter(group, group != \"ops\")",
            r#"["staff"]"#,
        ),
        ("[claims.level + 1, 0.5, null]", "[4,0.5,null]"),
        ("{\"who\": claims.sub}", r#"{"who":"ada"}"#),
        ("consumer.name", r#""acme""#),
    ] {
        let told = json(source, &somebody).map(|value| value.to_string());
        assert_eq!(told.as_deref(), Some(value), "{source}");
    }
    // CEL's own kinds, and what is not there.
    assert_eq!(json("{1: claims.sub}", &somebody), None);
    assert_eq!(json("[b\"ab\"]", &somebody), None);
    assert_eq!(json("claims.absent", &somebody), None);
    assert_eq!(json("claims.level", &nobody), None);
    assert_eq!(json("[claims.level]", &nobody), None);
}

/// What a composition has.
struct Sent;

impl Legs for Sent {
    fn status(&self, _: &str) -> Option<u16> {
        Some(200)
    }
    fn error(&self, _: &str) -> Option<&'static str> {
        None
    }
    fn header(&self, _: &str, _: &http::HeaderName) -> Option<&http::HeaderValue> {
        None
    }
    fn sent(&self, path: &[String]) -> Option<serde_json::Value> {
        let body = serde_json::json!({"items": [1, "b"], "none": null, "big": u64::MAX});
        path.iter()
            .try_fold(body, |value, name| value.get(name).cloned())
    }
    fn member(&self, _: &str, path: &[String]) -> Option<serde_json::Value> {
        Some(serde_json::json!(path))
    }
}

#[test]
fn values_have_the_type_that_they_have() {
    use serde_json::json;

    let exchange = exchange();
    for (source, value) in [
        ("request.body.items", Some(json!([1, "b"]))),
        ("request.body.big", Some(json!(u64::MAX))),
        ("request.body.none", None),
        ("request.body.absent.more", None),
        ("request.body[\"items\"]", Some(json!([1, "b"]))),
        ("legs.a.status", Some(json!(200))),
        ("legs.a.body.x", Some(json!(["x"]))),
        ("path.id", Some(json!("7"))),
        ("int(path.id) * 2", Some(json!(14))),
        ("double(path.id) / 2.0", Some(json!(3.5))),
        (
            "[path.id, string(legs.a.status)]",
            Some(json!(["7", "200"])),
        ),
        (
            "{'a': legs.a.status > 100, 'b': null}",
            Some(json!({"a": true, "b": null})),
        ),
        ("request.body.none == null ? null : 1", Some(json!(null))),
        ("int(request.headers[\"absent\"])", None),
    ] {
        let expr = Expr::parse_among(source).unwrap();
        assert_eq!(
            expr.value(Scope::among(&exchange, &Sent)),
            value,
            "{source}"
        );
    }
}

#[test]
fn what_a_client_may_leave_out_is_known() {
    for (source, optional, body) in [
        ("request.body", true, true),
        ("request.body.items[0]", true, true),
        ("request.query[\"a\"]", true, false),
        (
            "request.headers[\"a\"] + request.cookies[\"b\"]",
            true,
            false,
        ),
        ("claims.sub", false, false),
        ("request.query[\"a\"] + claims.sub", false, false),
        ("legs.a.body.b", false, false),
        ("1 + 1", false, false),
    ] {
        let expr = Expr::parse_among(source).unwrap();
        assert_eq!(
            (expr.is_optional(), expr.reads_body()),
            (optional, body),
            "{source}"
        );
    }
    assert!(Expr::parse_among("request.bodyguard").is_err());
    let error = Expr::parse("request.body.a").unwrap_err();
    assert!(error.message.contains("compose"), "{error}");
}
