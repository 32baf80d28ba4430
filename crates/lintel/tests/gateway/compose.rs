//! One answer of several calls.

mod coalesce;
mod faults;
mod last_good;
mod legs;
mod sent;
mod services;
mod stream;

use std::sync::{Arc, Barrier, mpsc};

use lintel_testkit::{Answer, Origin, PATIENCE, Seen, until};
use serde_json::Value;

use crate::support::{Gateway, lintel, with_routes};

/// A route `/home` that composes; `compose` is written below that key.
fn yaml(services: &[(&str, &str)], compose: &str) -> String {
    let services: Vec<String> = services
        .iter()
        .map(|(name, url)| format!("{name}: {{ endpoints: [\"{url}\"] }}"))
        .collect();
    with_routes(&format!(
        "services: {{ {} }}\n\
         routes:\n  home:\n    match: {{ path: /home }}\n    timeout: 10s\n    policies: {{ access_log: {{}} }}\n    \
         to:\n      compose:\n{compose}",
        services.join(", ")
    ))
}

fn json(body: &'static str) -> Origin {
    Origin::start(move |_| Answer::new(200, &[("Content-Type", "application/json")], body))
}

fn log_line(gateway: &Gateway) -> Value {
    let line = until("the request is logged", || {
        let text = gateway.stdout();
        text.lines().next().map(str::to_owned)
    });
    serde_json::from_str(&line).unwrap()
}

#[test]
fn legs_run_side_by_side() {
    // Each answers once all three have come: one after the other they never would.
    let meet = Barrier::new(3);
    let origin = Origin::start(move |seen: &Seen| {
        meet.wait();
        Answer::ok(format!("{{\"at\":\"{}\"}}", seen.target))
    });
    let yaml = yaml(
        &[("all", &origin.url())],
        "        legs:\n          a: { service: all, get: /1 }\n          b: { service: all, get: /2 }\n          c: { service: all, get: /3 }\n",
    );
    let gateway = Gateway::start(&yaml);
    let reply = gateway.get("/home");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let expected = "{\"a\":{\"at\":\"/1\"},\"b\":{\"at\":\"/2\"},\"c\":{\"at\":\"/3\"}}";
    assert_eq!(reply.text(), expected);
}

#[test]
fn every_leg_is_logged_counted_and_traced() {
    let (users, recs) = (
        json("{\"id\":7}"),
        Origin::start(|_| Answer::new(503, &[], "no")),
    );
    let yaml = yaml(
        &[("users", &users.url()), ("recs", &recs.url())],
        "        legs:\n          profile: { service: users, get: /me }\n          recs: { service: recs, get: \"/for/${legs.profile.body.id}\", fallback: [] }\n          extra: { service: recs, get: /x, when: 'request.method == \"POST\"' }\n        errors: _errors\n",
    );
    let gateway = Gateway::start(&yaml);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = format!(
        "GET /home HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n"
    );
    let reply = gateway.client().send(request).reply();
    let expected = "{\"extra\":null,\"profile\":{\"id\":7},\"recs\":[],\"_errors\":[{\"leg\":\"recs\",\"code\":\"status\"}]}";
    assert_eq!((reply.status, &*reply.text()), (200, expected));
    assert_eq!(reply.header("x-partial"), Some("recs=status"));
    let line = log_line(&gateway);
    let legs = line["legs"].as_array().unwrap();
    let told = |name: &str| legs.iter().find(|leg| leg["leg"] == name).unwrap();
    assert_eq!(told("profile")["result"], "answered");
    assert_eq!(told("profile")["status"], 200);
    assert_eq!(told("profile")["service"], "users");
    assert_eq!(told("extra")["result"], "skipped");
    assert_eq!(told("recs")["result"], "status");
    assert_eq!(told("recs")["cause"], "the status 503 is not expected");
    for (origin, name) in [(&users, "profile"), (&recs, "recs")] {
        let seen = origin.only();
        let span = told(name)["span_id"].as_str().unwrap();
        let parent = seen.header("traceparent").unwrap();
        assert!(
            parent.starts_with(&format!("00-{trace}-{span}-")),
            "{parent} {span}"
        );
        assert_eq!(seen.header("x-request-id"), line["request_id"].as_str());
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.header("cookie"), None);
        assert_eq!(seen.fields.all("host").count(), 1);
    }
    let metrics = gateway.ask("/metrics").text();
    for count in [
        "lintel_compose_answers_total{route=\"home\",result=\"partial\"} 1",
        "lintel_compose_legs_total{route=\"home\",leg=\"profile\",result=\"answered\"} 1",
        "lintel_compose_legs_total{route=\"home\",leg=\"recs\",result=\"status\"} 1",
        "lintel_compose_legs_total{route=\"home\",leg=\"extra\",result=\"skipped\"} 1",
        "lintel_compose_leg_duration_seconds_count{route=\"home\",leg=\"profile\"} 1",
    ] {
        assert!(metrics.contains(count), "{count}: {metrics}");
    }
    assert!(
        !metrics
            .contains("lintel_compose_leg_duration_seconds_count{route=\"home\",leg=\"extra\"}")
    );
}

#[test]
fn a_required_leg_that_fails_gives_up_the_others() {
    // Tells when the gateway has closed the connection of a call that it does not need any more.
    let (tell, told) = mpsc::channel();
    let slow = Arc::new(Origin::start(move |_| {
        let tell = tell.clone();
        Answer::script(move |stream| {
            let _ = std::io::copy(stream, &mut std::io::sink());
            let _ = tell.send(());
        })
    }));
    let asked = Arc::clone(&slow);
    // The one that fails does not do so before the slow one was asked.
    let broken = Origin::start(move |_| {
        asked.until_seen(1);
        Answer::new(500, &[], "no")
    });
    let compose = "        legs:\n          a: { service: slow, get: /a }\n          b: { service: broken, get: /b }\n          c: { service: slow, get: /c, after: [b] }\n        error: { json: { error: gone }, headers: { Cache-Control: no-store } }\n";
    let yaml = yaml(&[("slow", &slow.url()), ("broken", &broken.url())], compose);
    let gateway = Gateway::start(&yaml);
    let reply = gateway.get("/home");
    assert_eq!(
        (reply.status, &*reply.text()),
        (503, "{\"error\":\"gone\"}")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    told.recv_timeout(PATIENCE).unwrap();
    let line = log_line(&gateway);
    assert_eq!(line["refused_by"], "compose");
    assert_eq!(line["code"], "leg_failed");
    assert_eq!(line["cause"], "leg `b`: the status 500 is not expected");
    let results: Vec<&str> = line["legs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leg| leg["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["cancelled", "status"]);
}

#[test]
fn failures_have_their_status() {
    let silent = Origin::start(|_| Answer::silence());
    let html = Origin::saying("<html>");
    for (url, more, status, code) in [
        (silent.url(), "timeout: 100ms", 504, "leg_timeout"),
        (Origin::nobody(), "timeout: 5s", 502, "leg_failed"),
        (html.url(), "timeout: 5s", 502, "leg_failed"),
        (html.url(), "max_body: 5B", 502, "leg_failed"),
    ] {
        let compose = format!("        legs: {{ a: {{ service: it, get: /, {more} }} }}\n");
        let gateway = Gateway::start(&yaml(&[("it", &url)], &compose));
        let reply = gateway.get("/home");
        assert_eq!(reply.status, status, "{}", reply.text());
        let problem: Value = serde_json::from_str(&reply.text()).unwrap();
        assert_eq!(problem["code"], code);
        assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    }
}

#[test]
fn a_leg_can_send_and_forward() {
    let search = json("[1]");
    let compose = "        forward: [Accept-Language]\n        legs:\n          ids: { value: [3, 4] }\n          found: { service: search, post: \"/s\", body: '{ ids: .ids, first: .ids[0] }', forward: [Authorization, X-None], headers: { X-Of: \"${request.path}\", X-No: \"${claims.sub}\" } }\n          plain: { service: search, put: \"/p\" }\n        body: .found\n        status: '201'\n";
    let gateway = Gateway::start(&yaml(&[("search", &search.url())], compose));
    let request =
        "GET /home HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAccept-Language: de\r\n\r\n";
    let reply = gateway.client().send(request).reply();
    assert_eq!((reply.status, &*reply.text()), (201, "[1]"));
    let seen = search.seen();
    let sent = seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(sent.body, b"{\"ids\":[3,4],\"first\":3}");
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.header("authorization"), Some("Bearer x"));
    assert_eq!(sent.header("accept-language"), None);
    assert_eq!(sent.header("x-of"), Some("/home"));
    assert_eq!(sent.header("x-no"), None);
    let plain = seen.iter().find(|seen| seen.method == "PUT").unwrap();
    assert_eq!(plain.header("accept-language"), Some("de"));
    assert_eq!(plain.header("authorization"), None);
    assert_eq!(plain.header("content-type"), None);
}

#[test]
fn the_plan_is_explained() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/home.yaml");
    let out = lintel(&["explain", example, "GET", "/home"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(
        text.contains(
            "first     balance: GET /balance/${claims.sub} of wallet, or else null, 300 ms"
        ),
        "{text}"
    );
    assert!(text.contains("answer    an object of all legs"), "{text}");
    let out = lintel(&["test", example]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stdout)
    );
}
