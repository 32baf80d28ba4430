//! Legs that ask in GraphQL, and legs that send on what the client sent.

use lintel_testkit::{Answer, Origin, Reply, until};
use serde_json::{Value, json};

use crate::{
    compose::legs::{value, yaml},
    support::{Gateway, on_listener},
};

fn gateway(origin: &Origin, compose: &str) -> Gateway {
    Gateway::start(&yaml(&[("shop", &origin.url(), "")], compose))
}

fn posted(gateway: &Gateway, media: &str, body: &str) -> Reply {
    let length = body.len();
    let request = format!(
        "POST /home HTTP/1.1\r\nHost: a\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    gateway.client().send(request).reply()
}

const QUERY: &str =
    "query($id: ID!, $first: Int) { user(id: $id) { orders(first: $first) { id } } }";

#[test]
fn a_query_brings_its_data() {
    let shop = Origin::start(|seen| match seen.target.as_str() {
        "/where" => Answer::ok("{\"id\":\"7\"}"),
        "/graphql" => Answer::ok("{\"data\":{\"user\":{\"orders\":[{\"id\":1}]}}}"),
        _ => Answer::ok("{\"errors\":[{\"message\":\"no reviews\"}],\"data\":{\"reviews\":null}}"),
    });
    let compose = format!(
        "        legs:\n          \
           where: {{ service: shop, get: /where }}\n          \
           user: {{ service: shop, graphql: {{ query: \"{QUERY}\", variables: {{ id: \"${{legs.where.body.id}}\", first: \"${{int(request.query[\\\"n\\\"])}}\" }} }} }}\n          \
           part: {{ service: shop, graphql: {{ query: \"{{ reviews {{ id }} }}\", path: /reviews, partial: true }} }}\n          \
           none: {{ service: shop, graphql: {{ query: \"{{ reviews {{ id }} }}\", path: /reviews }}, optional: true }}\n"
    );
    let gateway = gateway(&shop, &compose);
    let reply = gateway.get("/home?n=3");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        value(&reply),
        json!({"none": null, "part": {"reviews": null}, "user": {"user": {"orders": [{"id": 1}]}}, "where": {"id": "7"}})
    );
    assert_eq!(reply.header("x-partial"), Some("none=graphql_errors"));
    let seen = shop.seen();
    let asked = seen.iter().find(|seen| seen.target == "/graphql").unwrap();
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.header("content-type"), Some("application/json"));
    let accepted = asked.header("accept").unwrap();
    assert!(
        accepted.starts_with("application/graphql-response+json"),
        "{accepted}"
    );
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(
        body,
        json!({"query": QUERY, "variables": {"id": "7", "first": 3}})
    );
    until("it is logged", || {
        gateway
            .stdout()
            .contains("an error: no reviews")
            .then_some(())
    });
    // A variable that the client may leave out is left out.
    gateway.get("/home");
    let seen = shop.seen();
    let asked = seen.iter().rfind(|seen| seen.target == "/graphql").unwrap();
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["variables"], json!({"id": "7"}));
}

#[test]
fn the_same_query_is_asked_once_and_the_same_mutation_is_not() {
    let shop = Origin::saying("{\"data\":{}}");
    let leg = |name: &str, text: &str| {
        format!("          {name}: {{ service: shop, graphql: {{ query: \"{text}\" }} }}\n")
    };
    let compose = [
        "        legs:\n".to_owned(),
        leg("a", "{ me { name } }"),
        leg("b", "{ me { name } }"),
        leg("c", "{ me { age } }"),
        leg("d", "mutation { buy { id } }"),
        leg("e", "mutation { buy { id } }"),
    ]
    .concat();
    let gateway = gateway(&shop, &compose);
    assert_eq!(gateway.get("/home").status, 200);
    assert_eq!(shop.seen().len(), 4);
}

#[test]
fn legs_are_made_of_what_the_client_sent() {
    let shop = Origin::start(|seen| match seen.target.as_str() {
        "/order" => Answer::ok(&seen.body),
        target => Answer::ok(format!("{{\"at\":\"{target}\"}}")),
    });
    let compose = "        legs:\n          \
         stock: { service: shop, get: \"/stock/${item.id}\", for_each: \"$request.body.items\" }\n          \
         order: { service: shop, post: /order, body: \"{ cart: $request.body.items, stock, note: $request.body.note }\" }\n          \
         vouched: { service: shop, get: \"/voucher/${request.body.voucher}\", when: 'has(request.body.voucher)', optional: true }\n        \
         body: '{ order, vouched, total: ([$request.body.items[]?.price] | add) }'\n        max_request: 200B\n";
    let gateway = gateway(&shop, compose);
    let sent = "{\"items\":[{\"id\":1,\"price\":2},{\"id\":\"a/b\",\"price\":3}],\"note\":\"ü\"}";
    let reply = posted(&gateway, "application/json; charset=utf-8", sent);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        value(&reply),
        json!({
            "order": {"cart": [{"id": 1, "price": 2}, {"id": "a/b", "price": 3}], "stock": [{"at": "/stock/1"}, {"at": "/stock/a%2Fb"}], "note": "ü"},
            "vouched": null,
            "total": 5,
        })
    );
    let vouched = posted(
        &gateway,
        "application/vnd.shop+json",
        "{\"items\":[],\"voucher\":\"x y\"}",
    );
    assert_eq!(value(&vouched)["vouched"], json!({"at": "/voucher/x%20y"}));
    // Nothing is as good as null.
    let nothing = gateway.get("/home");
    assert_eq!(nothing.status, 200, "{}", nothing.text());
    assert_eq!(value(&nothing)["total"], Value::Null);
    let before = shop.seen().len();
    let large = format!("{{\"items\":[\"{}\"]}}", "x".repeat(200));
    for (media, body, status, code) in [
        ("application/json", "{\"items\":[}", 400, "invalid_request"),
        ("application/json", "{} {}", 400, "invalid_request"),
        ("application/json", &large, 413, "body_too_large"),
        ("text/plain", "{}", 415, "unsupported_media_type"),
    ] {
        let reply = posted(&gateway, media, body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        assert_eq!(value(&reply)["code"], code);
    }
    // Too large without saying so first.
    let chunked = format!(
        "POST /home HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    assert_eq!(gateway.client().send(chunked).reply().status, 413);
    assert_eq!(shop.seen().len(), before);
}

#[test]
fn what_the_listener_does_not_take_is_not_taken_here() {
    let shop = Origin::saying("1");
    let compose = "        legs: { a: { service: shop, post: /, body: $request.body } }\n        max_request: 1MiB\n";
    let yaml = yaml(&[("shop", &shop.url(), "")], compose);
    let gateway = Gateway::start(&on_listener(&yaml, "limits: { body: 10B }"));
    assert_eq!(
        posted(&gateway, "application/json", "[1,2,3,4,5,6,7,8]").status,
        413
    );
    assert_eq!(posted(&gateway, "application/json", "[1,2]").status, 200);
    assert_eq!(shop.only().body, b"[1,2]");
}

#[test]
fn a_body_that_nobody_reads_is_not_read() {
    let shop = Origin::saying("1");
    let gateway = gateway(&shop, "        legs: { a: { service: shop, get: / } }\n");
    // No JSON, and not all there.
    let request = "POST /home HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n<html>";
    let reply = gateway.client().send(request).reply();
    assert_eq!((reply.status, &*reply.text()), (200, "{\"a\":1}"));
}
