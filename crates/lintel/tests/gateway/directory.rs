//! Consumers and plans that change without a reload: in a store, for all replicas, and in a file.

use std::fs;

use lintel_testkit::{Client, Origin, Redis, Reply, until};
use serde_json::{Value, json};

use crate::support::{Gateway, lintel, with_routes};

/// An API key, and the hash of it.
fn key() -> (String, String) {
    let made = lintel(&["keys", "new", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("key"), text("sha256"))
}

fn configuration(origin: &Origin, more: &str) -> String {
    with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\n{more}\n\
         routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    policies:\n\
         \x20     api_key: {{ forward: {{ X-Who: consumer.name, X-Plan: consumer.plan }} }}",
        origin.url()
    ))
}

fn in_store(origin: &Origin, redis: &Redis, more: &str) -> String {
    let store = format!(
        "stores: {{ shared: {{ redis: {{ url: \"redis://127.0.0.1:{}\", timeout: 10s, prefix: edge }} }} }}\n\
         directory: {{ store: shared, poll: 100ms }}\n{more}",
        redis.port
    );
    configuration(origin, &store)
}

fn status(gateway: &Gateway, key: &str) -> u16 {
    call(gateway, key).status
}

fn call(gateway: &Gateway, key: &str) -> Reply {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n\r\n");
    gateway.client().send(request).reply()
}

fn admin(gateway: &Gateway, method: &str, target: &str, body: &Value) -> Reply {
    admin_if(gateway, method, target, "", body)
}

fn admin_if(gateway: &Gateway, method: &str, target: &str, fields: &str, body: &Value) -> Reply {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    );
    Client::connect(gateway.admin()).send(request).reply()
}

fn put(gateway: &Gateway, target: &str, body: &Value) {
    let said = admin(gateway, "PUT", target, body);
    assert!(matches!(said.status, 200 | 201), "{}", said.text());
}

fn until_status(gateway: &Gateway, key: &str, expected: u16) {
    until(&format!("the key meets {expected}"), || {
        (status(gateway, key) == expected).then_some(())
    });
}

fn until_measured(gateway: &Gateway, line: &str) {
    until(line, || {
        let metrics = gateway.ask("/metrics").text();
        metrics.lines().any(|own| own == line).then_some(())
    });
}

fn told(gateway: &Gateway) -> Value {
    let status: Value = serde_json::from_str(&gateway.ask("/config/status").text()).unwrap();
    status["directory"].clone()
}

#[test]
fn what_is_put_at_one_replica_holds_at_all() {
    let (origin, redis) = (Origin::saying("found"), Redis::start());
    let yaml = in_store(&origin, &redis, "");
    let (one, other) = (Gateway::start(&yaml), Gateway::start(&yaml));
    let ((first, first_hash), (second, second_hash)) = (key(), key());
    assert_eq!([status(&one, &first), status(&other, &first)], [401, 401]);

    // A plan comes before who is on it.
    let acme = json!({ "plan": "gold", "api_keys": [{ "sha256": first_hash, "id": "first" }] });
    let said = admin(&one, "PUT", "/consumers/acme", &acme);
    assert_eq!(said.status, 422, "{}", said.text());
    assert!(
        said.text().contains("there is no plan `gold`"),
        "{}",
        said.text()
    );
    put(
        &one,
        "/plans/gold",
        &json!({ "rate_limit": [{ "rate": "3/h" }] }),
    );
    let said = admin(&one, "PUT", "/consumers/acme", &acme);
    assert_eq!(said.status, 201, "{}", said.text());
    let tag = said.header("etag").unwrap().to_owned();
    assert_eq!(status(&one, &first), 200, "at once where it was told");
    until_status(&other, &first, 200);
    let sent = origin.seen();
    let sent = sent.last().unwrap();
    assert_eq!(sent.header("x-who"), Some("acme"));
    assert_eq!(sent.header("x-plan"), Some("gold"));

    // What was counted goes on while others change.
    put(
        &other,
        "/consumers/umbrella",
        &json!({ "api_keys": [{ "sha256": second_hash }] }),
    );
    until_status(&one, &second, 200);
    assert_eq!([status(&one, &first), status(&one, &first)], [200, 200]);
    assert_eq!(status(&one, &first), 429, "three an hour, of this replica");
    put(
        &other,
        "/plans/gold",
        &json!({ "rate_limit": [{ "rate": "1000/h" }] }),
    );
    until_status(&one, &first, 200);

    // Another key beside the first, and then in its place.
    let (third, third_hash) = key();
    let more = json!({ "sha256": third_hash, "id": "third" });
    let said = admin(&other, "POST", "/consumers/acme/keys", &more);
    assert_eq!(said.status, 201, "{}", said.text());
    until_status(&one, &third, 200);
    let stale = admin_if(
        &one,
        "PUT",
        "/consumers/acme",
        &format!("If-Match: {tag}\r\n"),
        &acme,
    );
    assert_eq!(stale.status, 412, "{}", stale.text());
    let said = admin(&one, "DELETE", "/consumers/acme/keys/first", &Value::Null);
    assert_eq!(said.status, 200, "{}", said.text());
    assert_eq!(
        status(&one, &first),
        401,
        "revoked, at once where it was told"
    );
    until_status(&other, &first, 401);
    assert_eq!([status(&one, &third), status(&other, &third)], [200, 200]);
    let said = admin(&one, "DELETE", "/consumers/acme/keys/first", &Value::Null);
    assert_eq!(said.status, 404);

    // A key is of one consumer; a plan goes when nobody is on it.
    let said = admin(
        &other,
        "PUT",
        "/consumers/thief",
        &json!({ "api_keys": [{ "sha256": third_hash }] }),
    );
    assert_eq!(said.status, 422);
    assert!(
        said.text().contains("of consumer `acme`"),
        "{}",
        said.text()
    );
    assert_eq!(
        admin(&one, "DELETE", "/plans/gold", &Value::Null).status,
        422
    );
    assert_eq!(
        admin(&one, "DELETE", "/consumers/acme", &Value::Null).status,
        204
    );
    assert_eq!(status(&one, &third), 401);
    until_status(&other, &third, 401);
    assert_eq!(
        admin(&one, "DELETE", "/plans/gold", &Value::Null).status,
        204
    );
    assert_eq!(
        admin(&one, "DELETE", "/consumers/acme", &Value::Null).status,
        404
    );
    assert_eq!([status(&one, &second), status(&other, &second)], [200, 200]);
}

#[test]
fn entries_are_listed_checked_and_show_no_secret() {
    let (origin, redis) = (Origin::saying("found"), Redis::start());
    let gateway = Gateway::start(&in_store(
        &origin,
        &redis,
        "consumers: { declared: {} }\nplans: { silver: {} }",
    ));
    let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    put(
        &gateway,
        "/consumers/b",
        &json!({ "plan": "silver", "basic": [{ "hash": hash }] }),
    );
    put(&gateway, "/consumers/a", &json!({}));
    put(
        &gateway,
        "/consumers/c%2Fd",
        &json!({ "groups": ["partners"] }),
    );
    let shown = gateway.ask("/consumers?limit=2").text();
    assert!(!shown.contains("CCCC"), "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let names = shown["consumers"].as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!((names, &shown["next"]), (vec!["a", "b"], &json!("b")));
    assert_eq!(shown["consumers"][1]["value"]["basic"][0]["hash"], "***");
    let shown: Value = serde_json::from_str(&gateway.ask("/consumers?after=b").text()).unwrap();
    assert_eq!(shown["consumers"][0]["name"], "c/d");
    assert_eq!(shown["next"], Value::Null);
    assert_eq!(gateway.ask("/consumers/nobody").status, 404);

    for (name, wrong, says) in [
        ("x", json!({ "plam": "gold" }), "plan"),
        (
            "x",
            json!({ "api_keys": [{ "sha256": "abc" }] }),
            "64 hexadecimal digits",
        ),
        (
            "x",
            json!({ "rate_limit": [{ "rate": "5/s", "per": "clientt.ip" }] }),
            "clientt",
        ),
        (
            "x",
            json!({ "rate_limit": [{ "rate": "5/s", "store": "other" }] }),
            "no store `other`",
        ),
        (
            "x",
            json!({ "signing_keys": [{ "id": "k", "algorithm": "hmac-sha256", "secret": "hunter2-hunter2-hunter2-hunter2-hunter2" }] }),
            "a store would show",
        ),
        ("x", json!([]), "consumer"),
        (
            "declared",
            json!({}),
            "the configuration has a consumer `declared`",
        ),
    ] {
        let said = admin(&gateway, "PUT", &format!("/consumers/{name}"), &wrong);
        let text = said.text();
        assert_eq!(said.status, 422, "{wrong}: {text}");
        assert!(text.contains(says), "{wrong}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let said = admin(&gateway, "PUT", "/plans/silver", &json!({}));
    assert_eq!(said.status, 422, "{}", said.text());
    let once = "If-None-Match: *\r\n";
    assert_eq!(
        admin_if(&gateway, "PUT", "/consumers/a", once, &json!({})).status,
        412
    );
    assert_eq!(
        admin_if(&gateway, "PUT", "/consumers/e", once, &json!({})).status,
        201
    );

    // Without a directory there is nothing to change.
    let plain = Gateway::start(&configuration(&origin, "consumers: { declared: {} }"));
    assert_eq!(admin(&plain, "PUT", "/consumers/a", &json!({})).status, 409);
}

#[test]
fn the_last_ones_hold_without_the_store_and_come_back_with_it() {
    let (origin, mut redis) = (Origin::saying("found"), Redis::start());
    let yaml = in_store(&origin, &redis, "");
    let (one, other) = (Gateway::start(&yaml), Gateway::start(&yaml));
    let ((first, first_hash), (gone, gone_hash)) = (key(), key());
    put(
        &one,
        "/plans/gold",
        &json!({ "rate_limit": [{ "rate": "1000/s" }] }),
    );
    put(
        &one,
        "/consumers/acme",
        &json!({ "plan": "gold", "api_keys": [{ "sha256": first_hash }] }),
    );
    put(
        &one,
        "/consumers/gone",
        &json!({ "api_keys": [{ "sha256": gone_hash }] }),
    );
    until_status(&other, &gone, 200);
    assert_eq!(
        admin(&other, "DELETE", "/consumers/gone", &Value::Null).status,
        204
    );
    until_status(&one, &gone, 401);

    redis.kill();
    for gateway in [&one, &other] {
        gateway.until_logged("what was known last holds");
        until_measured(gateway, "lintel_directory_failing 1");
        assert_eq!(
            [status(gateway, &first), status(gateway, &gone)],
            [200, 401]
        );
    }
    assert!(told(&one)["last_error"].is_string());
    let said = admin(&one, "PUT", "/consumers/late", &json!({}));
    assert_eq!(said.status, 503, "{}", said.text());
    assert_eq!(one.log().matches("what was known last holds").count(), 1);

    // It has lost everything, and is told again: what there was, and what was removed.
    redis.restart();
    until_measured(&one, "lintel_directory_failing 0");
    until_measured(&other, "lintel_directory_failing 0");
    for gateway in [&one, &other] {
        assert_eq!(
            [status(gateway, &first), status(gateway, &gone)],
            [200, 401]
        );
    }
    until("the store has them again", || {
        let late = redis.ask(&["hkeys", "edge:{directory}:texts"]);
        (late.contains("consumers/acme") && late.contains("plans/gold")).then_some(())
    });
    let late = Gateway::start(&yaml);
    assert_eq!([status(&late, &first), status(&late, &gone)], [200, 401]);
    assert_eq!(late.ask("/readyz").status, 200);
    until_measured(&late, "lintel_directory_consumers 1");
    until_measured(&late, "lintel_directory_plans 1");

    // Who starts without the store knows nobody, and is not ready.
    redis.kill();
    let early = Gateway::start(&yaml);
    assert_eq!(
        [status(&early, &first), early.ask("/readyz").status],
        [401, 503]
    );
    redis.restart();
    until_status(&early, &first, 200);
    assert_eq!(early.ask("/readyz").status, 200);
}

#[test]
fn what_others_write_into_the_store_is_held_against_the_configuration() {
    let (origin, redis) = (Origin::saying("found"), Redis::start());
    let yaml = in_store(&origin, &redis, "plans: { silver: {} }");
    let gateway = Gateway::start(&yaml);
    let ((first, first_hash), (second, second_hash)) = (key(), key());
    put(
        &gateway,
        "/consumers/acme",
        &json!({ "plan": "silver", "api_keys": [{ "sha256": first_hash }] }),
    );
    let mut last = 1;
    let mut write = |name: &str, text: &str| {
        last += 1;
        let number = last.to_string();
        redis.ask(&["hset", "edge:{directory}:texts", name, text]);
        redis.ask(&["zadd", "edge:{directory}:numbers", &number, name]);
        redis.ask(&["hset", "edge:{directory}", "last", &number]);
    };
    write("consumers/acme", "{\"plan\": \"bronze\"}");
    write(
        "consumers/thief",
        &json!({ "api_keys": [{ "sha256": first_hash }] }).to_string(),
    );
    write("consumers/broken", "{\"api_keys\": 7");
    write("something/else", "{}");
    write(
        "consumers/umbrella",
        &json!({ "api_keys": [{ "sha256": second_hash }] }).to_string(),
    );
    until_status(&gateway, &second, 200);
    assert_eq!(status(&gateway, &first), 200, "the last good one stays");
    let sent = origin.seen();
    assert_eq!(sent.last().unwrap().header("x-who"), Some("acme"));
    until_measured(&gateway, "lintel_directory_refused 3");
    let shown = told(&gateway);
    assert_eq!(shown["refused"], 3);
    let faults = shown["faults"].to_string();
    for part in [
        "consumers/acme",
        "there is no plan `bronze`",
        "consumers/thief",
        "consumers/broken",
    ] {
        assert!(faults.contains(part), "{faults}");
    }
    gateway.until_logged("an entry can't be used; what it was before holds");

    // What an entry lacks may come later; then its key is free for who was told second.
    put(&gateway, "/plans/bronze", &json!({}));
    until_measured(&gateway, "lintel_directory_refused 1");
    assert_eq!(status(&gateway, &first), 200);
    assert_eq!(origin.seen().last().unwrap().header("x-who"), Some("thief"));
    let gone = admin(&gateway, "DELETE", "/consumers/broken", &Value::Null);
    assert_eq!(gone.status, 204, "{}", gone.text());
    until_measured(&gateway, "lintel_directory_refused 0");

    // A configuration that would forget somebody is refused.
    put(
        &gateway,
        "/consumers/on-silver",
        &json!({ "plan": "silver" }),
    );
    gateway.write(&in_store(&origin, &redis, ""));
    gateway.until_logged("consumer `on-silver` of the directory can't be used");
    assert_eq!(status(&gateway, &second), 200);
    // One that would not is taken, and who came meanwhile is there too.
    gateway.write(&in_store(
        &origin,
        &redis,
        "plans: { silver: {}, other: {} }\nzone: here",
    ));
    gateway.until_logged("the new configuration serves");
    assert_eq!(status(&gateway, &second), 200);
    put(&gateway, "/consumers/later", &json!({ "plan": "other" }));
    until_measured(&gateway, "lintel_directory_consumers 5");
}

#[test]
fn another_store_has_consumers_of_its_own() {
    let (origin, redis) = (Origin::saying("found"), Redis::start());
    let yaml = in_store(&origin, &redis, "");
    let elsewhere = yaml.replace("prefix: edge", "prefix: other");
    let (one, other) = (Gateway::start(&yaml), Gateway::start(&elsewhere));
    let ((first, first_hash), (second, second_hash)) = (key(), key());
    put(
        &one,
        "/consumers/acme",
        &json!({ "api_keys": [{ "sha256": first_hash }] }),
    );
    put(
        &other,
        "/consumers/umbrella",
        &json!({ "api_keys": [{ "sha256": second_hash }] }),
    );
    assert_eq!([status(&one, &first), status(&one, &second)], [200, 401]);
    one.write(&elsewhere);
    until_status(&one, &second, 200);
    assert_eq!(status(&one, &first), 401);
    // Without a directory nobody is known but who is declared.
    one.write(&configuration(&origin, ""));
    until_status(&one, &second, 401);
}

#[test]
fn a_file_is_enough() {
    let origin = Origin::saying("found");
    let ((first, first_hash), (second, second_hash)) = (key(), key());
    let gateway = Gateway::start(&configuration(&origin, "plans: { silver: {} }"));
    let file = gateway.config().with_file_name("callers.yaml");
    let of = |name: &str, hash: &str, plan: &str| {
        format!("consumers:\n  {name}: {{ plan: {plan}, api_keys: [{{ sha256: {hash} }}] }}\n")
    };
    fs::write(&file, of("acme", &first_hash, "silver")).unwrap();
    gateway.write(&configuration(
        &origin,
        "plans: { silver: {} }\ndirectory: { file: callers.yaml, poll: 100ms }",
    ));
    until_status(&gateway, &first, 200);
    let generation = |gateway: &Gateway| {
        let status: Value = serde_json::from_str(&gateway.ask("/config/status").text()).unwrap();
        status["serving"]["generation"].clone()
    };
    let before = generation(&gateway);

    // Another consumer, on a plan of the file; the first is gone.
    let plans = "plans:\n  gold: { rate_limit: [{ rate: 2/h }] }\n";
    fs::write(&file, of("umbrella", &second_hash, "gold") + plans).unwrap();
    until_status(&gateway, &second, 200);
    assert_eq!(status(&gateway, &first), 401);

    // With a mistake all of it stays what it was.
    fs::write(&file, of("acme", &first_hash, "nothing") + plans).unwrap();
    gateway.until_logged("there is no plan `nothing`");
    assert!(
        gateway.log().contains("callers.yaml:2"),
        "{}",
        gateway.log()
    );
    until_measured(&gateway, "lintel_directory_failing 1");
    assert_eq!(status(&gateway, &first), 401);
    assert_eq!(
        [status(&gateway, &second), status(&gateway, &second)],
        [200, 429]
    );
    fs::write(&file, of("acme", &first_hash, "gold") + plans).unwrap();
    until_status(&gateway, &first, 200);
    until_measured(&gateway, "lintel_directory_failing 0");
    assert_eq!(generation(&gateway), before, "nothing was reloaded");
    // Nor was it tried to: the file is followed by itself.
    assert!(!gateway.logs("the new configuration is refused"));
    let said = admin(&gateway, "PUT", "/consumers/a", &json!({}));
    assert_eq!(said.status, 409, "{}", said.text());
}

/// A file that says what it said is not read again by a reload, and what it said holds.
#[test]
fn a_file_goes_on_through_reloads() {
    let origin = Origin::saying("found");
    let ((first, first_hash), (second, second_hash)) = (key(), key());
    let with = |more: &str| {
        let file = "directory: { file: callers.yaml, poll: 100ms }";
        configuration(&origin, &format!("{file}\n{more}"))
    };
    let gateway = Gateway::start(&with_routes(""));
    let beside = |name: &str| gateway.config().with_file_name(name);
    let consumer = |hash: &str| {
        format!("consumers:\n  acme: {{ plan: silver, api_keys: [{{ sha256: \"{hash}\" }}] }}\n")
    };
    fs::write(beside("callers.yaml"), consumer(&first_hash)).unwrap();
    gateway.write(&with("plans: { silver: {} }"));
    until_status(&gateway, &first, 200);

    // What the configuration says of its plan holds for who is told in the file.
    gateway.write(&with("plans: { silver: { rate_limit: [{ rate: 2/h }] } }"));
    until_status(&gateway, &first, 429);
    // Who is on a plan keeps it, and the line that needs it is named.
    gateway.write(&with("plans: { gold: {} }"));
    gateway.until_logged("there is no plan `silver`");
    assert!(gateway.logs("callers.yaml:2"), "{}", gateway.log());
    assert_eq!(status(&gateway, &first), 429);

    // What depends on another file is read whenever it is written, whatever it says.
    fs::write(beside("hash"), &first_hash).unwrap();
    fs::write(beside("callers.yaml"), consumer("${file.hash}")).unwrap();
    gateway.write(&with("plans: { silver: {} }"));
    until_status(&gateway, &first, 200);
    fs::write(beside("hash"), &second_hash).unwrap();
    fs::write(beside("callers.yaml"), consumer("${file.hash}")).unwrap();
    until_status(&gateway, &second, 200);
    assert_eq!(status(&gateway, &first), 401);
}
