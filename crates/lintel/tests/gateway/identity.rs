//! The gateway's own tokens, verified by a service that others wrote.

use std::fs;

use lintel_testkit::Reply;
use serde_json::Value;

use crate::support::{Gateway, Peer, lintel, openssl, text, with_routes};

const ISSUER: &str = "https://gateway.example.com/";

/// A gateway with a consumer, a service that verifies, and a way to the keys through the gateway.
fn configuration(service: &Peer, admin: &str, more: &str) -> String {
    let port = service.port();
    with_routes(&format!(
        "services:\n  orders: {{ endpoints: [\"http://127.0.0.1:{port}\"] }}\n\
         \x20 admin: {{ endpoints: [\"http://{admin}\"] }}\n\
         plans: {{ gold: {{}} }}\n\
         consumers:\n  acme:\n    plan: gold\n    api_keys:\n      - sha256: \
         2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n        scopes: [orders:read]\n\
         routes:\n  orders:\n    match: {{ path: \"/*\" }}\n    to: orders\n    policies:\n\
         \x20     api_key: {{}}\n      identity_token: {{ issuer: \"{ISSUER}\", {more} }}\n\
         \x20 keys: {{ match: {{ path: /.well-known/jwks.json }}, to: admin }}"
    ))
}

fn ask(gateway: &Gateway) -> Reply {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: foo\r\nX-Identity-Token: forged\r\nX-Identity-Token: twice\r\n\r\n";
    gateway.client().send(request).reply()
}

fn said(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn a_service_verifies_who_is_calling() {
    let mut service = Peer::start("identity_service.py", &[ISSUER, "orders"]);
    let gateway = Gateway::start(&configuration(&service, "127.0.0.1:1", ""));
    let admin = gateway.admin();
    service.order(&format!("keys http://{admin}/.well-known/jwks.json"));
    let first = said(&ask(&gateway));
    for (claim, value) in [
        ("iss", ISSUER),
        ("aud", "orders"),
        ("sub", "acme"),
        ("auth", "api_key"),
        ("consumer", "acme"),
        ("plan", "gold"),
        ("scope", "orders:read"),
    ] {
        assert_eq!(first[claim], value);
    }
    let lifetime = first["exp"].as_u64().unwrap() - first["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 60);

    // The key that was made at the start outlives a reload; and services get it by a route, too.
    gateway.write(&configuration(&service, &admin.to_string(), "lifetime: 2m"));
    assert!(gateway.reload().status.success());
    let port = gateway.public().port();
    service.order(&format!(
        "keys http://127.0.0.1:{port}/.well-known/jwks.json"
    ));
    let second = said(&ask(&gateway));
    assert_eq!(second["kid"], first["kid"]);
    assert_ne!(second["exp"], first["exp"]);
    let signed = gateway.ask("/metrics").text();
    assert!(
        signed.contains("lintel_identity_tokens_signed_total 2"),
        "{signed}"
    );
}

#[test]
fn keys_change_and_no_request_fails() {
    let folder = tempfile::tempdir().unwrap();
    let pems: Vec<String> = ["old", "new"]
        .iter()
        .map(|name| {
            let path = text(folder.path().join(name));
            openssl(&["genpkey", "-algorithm", "ed25519", "-out", &path], "");
            path
        })
        .collect();
    let [old, new] = pems.as_slice() else {
        unreachable!("there are two")
    };
    let keys = |paths: &[&String]| {
        let all: Vec<String> = paths
            .iter()
            .map(|path| format!("\"${{file.{path}}}\""))
            .collect();
        format!("keys: [{}]", all.join(", "))
    };
    let mut service = Peer::start("identity_service.py", &[ISSUER, "orders"]);
    let steps = [&[old][..], &[old, new], &[new, old], &[new]];
    let of =
        |step: usize, service: &Peer| configuration(service, "127.0.0.1:1", &keys(steps[step]));
    let gateway = Gateway::start_unwatched(&of(0, &service));
    let admin = gateway.admin();
    service.order(&format!("keys http://{admin}/.well-known/jwks.json"));
    let mut signers = Vec::new();
    for step in 0..steps.len() {
        if step > 0 {
            gateway.write(&of(step, &service));
            assert!(gateway.reload().status.success());
        }
        signers.push(said(&ask(&gateway))["kid"].as_str().unwrap().to_owned());
        let published: Value =
            serde_json::from_slice(&gateway.ask("/.well-known/jwks.json").body).unwrap();
        let published = published["keys"].as_array().unwrap().len();
        // The old one is published to the end: its last tokens are still valid.
        assert_eq!(published, if step == 0 { 1 } else { 2 }, "step {step}");
    }
    assert!(signers[0] == signers[1] && signers[2] == signers[3] && signers[0] != signers[2]);
    let gone = fs::remove_file(new);
    assert!(gone.is_ok() && !lintel(&["check", &text(gateway.config())]).status.success());
}
