//! Credentials that are taken back before they end: by the admin API for all replicas, by a file, and
//! while the store is away.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use lintel_testkit::{Client, Origin, Redis, Reply, until};
use serde_json::{Value, json};

use crate::support::{Gateway, Peer, with_routes};

/// A maker of tokens, and an upstream behind gateways that believe it.
struct Scene {
    maker: Peer,
    keys: String,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        let mut maker = Peer::start_node("tokens.mjs");
        let said = maker.order("keys");
        Self {
            keys: said.strip_prefix("keys ").unwrap().to_owned(),
            maker,
            origin: Origin::saying("found"),
        }
    }

    fn configuration(&self, more: &str) -> String {
        with_routes(&format!(
            "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\n{more}\n\
             defaults: {{ policies: {{ access_log: {{ format: json, to: stdout }} }} }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    policies:\n\
             \x20     jwt: {{ issuer: https://node.example.com, audience: [api], jwks: '{}' }}",
            self.origin.url(),
            self.keys
        ))
    }

    fn in_store(&self, redis: &Redis, more: &str) -> String {
        self.configuration(&format!(
            "stores: {{ shared: {{ redis: {{ url: \"redis://127.0.0.1:{}\", timeout: 10s, prefix: edge }} }} }}\n\
             revocations: {{ store: shared, {more} }}",
            redis.port
        ))
    }

    fn token(&mut self, subject: &str, claims: &Value) -> String {
        let said = self.maker.order(&format!("token ES256 {subject} {claims}"));
        said.strip_prefix("token ").unwrap().to_owned()
    }
}

const QUICK: &str = "poll: 100ms";

fn status(gateway: &Gateway, token: &str) -> u16 {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    gateway.client().send(request).reply().status
}

fn admin(gateway: &Gateway, method: &str, target: &str, body: &Value) -> Reply {
    let mut client = Client::connect(gateway.admin());
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    client.request_with(method, target, body.as_bytes()).reply()
}

fn revoke(gateway: &Gateway, entry: &Value) -> Reply {
    admin(gateway, "POST", "/revocations", entry)
}

fn until_status(gateways: &[&Gateway], token: &str, expected: u16) {
    until(&format!("the token meets {expected}"), || {
        let mut all = gateways.iter();
        all.all(|gateway| status(gateway, token) == expected)
            .then_some(())
    });
}

fn until_measured(gateway: &Gateway, line: &str) {
    until(line, || {
        let metrics = gateway.ask("/metrics").text();
        metrics.lines().any(|own| own == line).then_some(())
    });
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[test]
fn what_is_revoked_at_one_replica_holds_at_all() {
    let (mut scene, redis) = (Scene::new(), Redis::start());
    let yaml = scene.in_store(&redis, QUICK);
    let (one, other) = (Gateway::start(&yaml), Gateway::start(&yaml));
    let both = [&one, &other];
    let stolen = scene.token("ada", &json!({ "jti": "t-1", "iat": now() - 60 }));
    let old = scene.token("ada", &json!({ "jti": "t-2", "iat": now() - 60 }));
    let new = scene.token("ada", &json!({ "jti": "t-3", "iat": now() - 10 }));
    let eves = scene.token("eve", &json!({ "jti": "t-4", "iat": now() - 60 }));
    let all = [&stolen, &old, &new, &eves];
    // Every worker knows them from now on.
    for token in all.iter().cycle().take(40) {
        assert_eq!([status(&one, token), status(&other, token)], [200, 200]);
    }

    let said = revoke(&one, &json!({ "jti": "t-1" }));
    assert_eq!(said.status, 201, "{}", said.text());
    let said: Value = serde_json::from_str(&said.text()).unwrap();
    assert_eq!(
        (&said["revoked"]["jti"], &said["stored"]),
        (&"t-1".into(), &true.into())
    );
    let until = said["revoked"]["until"].as_u64().unwrap();
    assert!((now() + 86_000..=now() + 86_400).contains(&until));
    assert_eq!(status(&one, &stolen), 401, "at once where it was told");
    until_status(&both, &stolen, 401);
    for token in [&old, &new, &eves] {
        assert_eq!([status(&one, token), status(&other, token)], [200, 200]);
    }
    until_logged(&one, "token_revoked");

    // All that somebody had up to a time, of this issuer and of no other.
    let entry = json!({ "sub": "ada", "before": now() - 30, "iss": "https://node.example.com" });
    assert_eq!(revoke(&other, &entry).status, 201);
    let entry = json!({ "sub": "eve", "iss": "https://another.example.com" });
    assert_eq!(revoke(&other, &entry).status, 201);
    until_status(&both, &old, 401);
    for token in [&new, &eves] {
        assert_eq!([status(&one, token), status(&other, token)], [200, 200]);
    }
    until_measured(&one, "lintel_revocations 3");

    // Taken back.
    let taken = admin(&one, "DELETE", "/revocations?jti=t-1", &Value::Null);
    assert_eq!(taken.status, 204, "{}", taken.text());
    until_status(&both, &stolen, 401);
    let entry = "/revocations?sub=ada&iss=https://node.example.com";
    assert_eq!(
        admin(&other, "DELETE", "/revocations?sub=ada", &Value::Null).status,
        404
    );
    assert_eq!(admin(&other, "DELETE", entry, &Value::Null).status, 204);
    for token in all {
        until_status(&both, token, 200);
    }
    let shown: Value = serde_json::from_str(&one.ask("/revocations").text()).unwrap();
    assert_eq!(
        (&shown["store"], &shown["last_error"]),
        (&"shared".into(), &Value::Null)
    );
    assert_eq!(shown["stored"].as_array().unwrap().len(), 1);
}

fn until_logged(gateway: &Gateway, text: &str) {
    until(text, || gateway.stdout().contains(text).then_some(()));
}

#[test]
fn the_last_list_holds_without_the_store_and_comes_back_with_it() {
    let (mut scene, mut redis) = (Scene::new(), Redis::start());
    let yaml = scene.in_store(&redis, QUICK);
    let (one, other) = (Gateway::start(&yaml), Gateway::start(&yaml));
    let [first, second, good] =
        ["t-1", "t-2", "t-3"].map(|number| scene.token("ada", &json!({ "jti": number })));
    assert_eq!(revoke(&one, &json!({ "jti": "t-1" })).status, 201);
    until_status(&[&one, &other], &first, 401);

    redis.kill();
    for gateway in [&one, &other] {
        gateway.until_logged("the last list holds");
        until_measured(gateway, "lintel_revocations_failing{store=\"shared\"} 1");
        assert_eq!(
            [status(gateway, &first), status(gateway, &good)],
            [401, 200]
        );
    }
    // What is revoked meanwhile holds here; nothing can be taken back.
    let said = revoke(&one, &json!({ "jti": "t-2" }));
    assert_eq!(said.status, 202, "{}", said.text());
    assert_eq!([status(&one, &second), status(&other, &second)], [401, 200]);
    let taken = admin(&one, "DELETE", "/revocations?jti=t-1", &Value::Null);
    assert_eq!(taken.status, 503);
    let told = one.log().matches("the last list holds").count();
    assert_eq!(told, 1, "once for the whole outage");

    // It has lost everything, and learns it again.
    redis.restart();
    until_status(&[&one, &other], &second, 401);
    until_measured(&one, "lintel_revocations_failing{store=\"shared\"} 0");
    assert_eq!([status(&one, &first), status(&other, &first)], [401, 401]);
    // Whoever comes later knows before the first request.
    let late = Gateway::start(&yaml);
    assert_eq!([status(&late, &first), status(&late, &second)], [401, 401]);
    assert_eq!(status(&late, &good), 200);
}

#[test]
fn requests_ask_no_store_and_the_list_is_bounded() {
    let (mut scene, redis) = (Scene::new(), Redis::start());
    let gateway = Gateway::start(&scene.in_store(&redis, "poll: 1h, max_entries: 2, keep: 1h"));
    let token = scene.token("ada", &json!({ "jti": "t-1" }));
    assert_eq!(revoke(&gateway, &json!({ "jti": "t-1" })).status, 201);
    let before = redis.calls();
    for _ in 0..20 {
        assert_eq!(status(&gateway, &token), 401);
    }
    assert_eq!(redis.calls(), before);
    // One that is over makes room when the list is next read; until then it takes some.
    assert_eq!(
        revoke(&gateway, &json!({ "jti": "t-2", "until": 1 })).status,
        201
    );
    assert_eq!(revoke(&gateway, &json!({ "jti": "t-3" })).status, 507);
    assert_eq!(
        revoke(&gateway, &json!({ "jti": "t-1" })).status,
        201,
        "known"
    );
    for wrong in [
        json!({}),
        json!({ "jti": "t", "sub": "s" }),
        json!({ "jti": "" }),
        json!({ "jti": "t", "before": 5 }),
        json!({ "jti": "t", "when": 5 }),
        json!([]),
        Value::Null,
    ] {
        let said = revoke(&gateway, &wrong);
        assert_eq!(said.status, 400, "{wrong}: {}", said.text());
    }
    // A list that is read anew has room.
    let again = Gateway::start(&scene.in_store(&redis, "poll: 1h, max_entries: 2"));
    assert_eq!(revoke(&again, &json!({ "jti": "t-3" })).status, 201);
    assert_eq!(status(&again, &token), 401);
}

#[test]
fn a_file_is_enough() {
    let mut scene = Scene::new();
    let [first, second] =
        ["t-1", "t-2"].map(|number| scene.token("ada", &json!({ "jti": number })));
    let plain = scene.configuration("");
    let gateway = Gateway::start(&plain);
    assert_eq!(
        [status(&gateway, &first), status(&gateway, &second)],
        [200, 200]
    );
    let file = gateway.config().with_file_name("revoked.jsonl");
    fs::write(&file, "# stolen laptops\n\n{\"jti\": \"t-1\"}\n").unwrap();
    let listed = scene.configuration("revocations: { list: \"${file.revoked.jsonl}\" }");
    gateway.write(&listed);
    until_status(&[&gateway], &first, 401);
    assert_eq!(status(&gateway, &second), 200);

    // A line is added; then one that is half written.
    fs::write(
        &file,
        "{\"jti\": \"t-1\"}\n{\"sub\": \"ada\", \"before\": 9999999999}",
    )
    .unwrap();
    until_status(&[&gateway], &second, 401);
    fs::write(&file, "{\"jti\": \"t-1\"}\n{\"sub\": \"a").unwrap();
    gateway.until_logged("line 2 is no entry");
    assert_eq!(
        [status(&gateway, &first), status(&gateway, &second)],
        [401, 401]
    );
    let said = revoke(&gateway, &json!({ "jti": "t-9" }));
    assert_eq!(said.status, 409, "{}", said.text());

    gateway.write(&plain);
    until_status(&[&gateway], &first, 200);
}
