//! What stands beside a route's service: its fallback and its mirror.

use std::{io, sync::mpsc};

use lintel_testkit::{Answer, Origin, PATIENCE, until};

use crate::support::{Gateway, with_routes};

fn yaml(first: &str, second: &str, more: &str) -> String {
    with_routes(&format!(
        "services: {{ first: {{ endpoints: [\"{first}\"] }}, second: {{ endpoints: [\"{second}\"] }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, policies: {{ access_log: {{}} }}, to: first, {more} }} }}"
    ))
}

#[test]
fn another_service_answers_for_one_that_is_gone() {
    let second = Origin::echo();
    let yaml = yaml(
        &Origin::nobody(),
        &second.url(),
        "fallback: { service: second }",
    );
    let gateway = Gateway::start(&yaml);
    let reply = gateway.client().request_with("POST", "/x", b"abc").reply();
    assert_eq!((reply.status, &*reply.text()), (200, "abc"));
    assert_eq!(reply.header("x-fallback"), Some("unreachable"));
    let seen = second.only();
    assert_eq!(seen.fields.all("via").count(), 1, "{seen:?}");
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    until("the fallback is logged", || {
        gateway
            .stdout()
            .contains("\"fallback\":\"unreachable\"")
            .then_some(())
    });
    let metrics = gateway.ask("/metrics").text();
    let count = "lintel_fallbacks_total{route=\"all\",reason=\"unreachable\"} 1";
    assert!(metrics.contains(count), "{metrics}");
}

#[test]
fn a_body_that_was_sent_is_sent_again() {
    let first = Origin::start(|_| Answer::new(503, &[], "no"));
    let second = Origin::echo();
    let more = "fallback: { on: [5xx], service: second, max_body: 8B }";
    let gateway = Gateway::start(&yaml(&first.url(), &second.url(), more));
    let mut client = gateway.client();
    let reply = client.request_with("POST", "/x", b"12345678").reply();
    assert_eq!((reply.status, &*reply.text()), (200, "12345678"));
    assert_eq!(reply.header("x-fallback"), Some("status"));
    // Too large to be kept: the answer of the first is what there is.
    let reply = client.request_with("POST", "/x", b"123456789").reply();
    assert_eq!((reply.status, &*reply.text()), (503, "no"));
    assert_eq!(reply.header("x-fallback"), None);
    assert_eq!((first.seen().len(), second.seen().len()), (2, 1));
}

#[test]
fn where_both_fail_the_first_is_told() {
    let first = Origin::start(|_| Answer::new(503, &[], "the first"));
    let more = "fallback: { on: [503], service: second }";
    let gateway = Gateway::start(&yaml(&first.url(), &Origin::nobody(), more));
    let reply = gateway.get("/x");
    assert_eq!((reply.status, &*reply.text()), (503, "the first"));
}

#[test]
fn a_service_that_is_too_slow_is_answered_for() {
    let first = Origin::start(|_| Answer::silence());
    let second = Origin::saying("in time");
    let more = "timeout: 100ms, fallback: { on: [timeout], service: second, timeout: 60s }";
    let gateway = Gateway::start(&yaml(&first.url(), &second.url(), more));
    let reply = gateway.get("/x");
    assert_eq!(&*reply.text(), "in time");
    assert_eq!(reply.header("x-fallback"), Some("timeout"));
}

#[test]
fn the_shadow_gets_what_the_service_gets() {
    let (first, second) = (Origin::echo(), Origin::start(|_| Answer::new(500, &[], "")));
    let more = "mirror: { service: second, compare: {}, host_suffix: -shadow }";
    let gateway = Gateway::start(&yaml(&first.url(), &second.url(), more));
    let mut client = gateway.client();
    assert_eq!(
        client.request_with("POST", "/x?y", b"abc").reply().text(),
        "abc"
    );
    second.until_seen(1);
    let seen = second.only();
    assert_eq!(
        (&*seen.method, &*seen.target, &*seen.body),
        ("POST", "/x?y", &b"abc"[..])
    );
    assert_eq!(seen.header("x-mirror"), Some("true"));
    assert_eq!(seen.header("host"), Some("test-shadow"));
    assert_eq!(first.only().header("x-mirror"), None);
    until("the difference is counted", || {
        let metrics = gateway.ask("/metrics").text();
        let counted = [
            "lintel_mirror_requests_total{route=\"all\",outcome=\"answered\"} 1",
            "lintel_mirror_compared_total{route=\"all\",result=\"status\"} 1",
        ];
        counted
            .iter()
            .all(|count| metrics.contains(count))
            .then_some(())
    });
    gateway.until_logged("the mirror answered differently");
}

#[test]
fn bodies_are_compared_as_the_client_gets_them() {
    let first = Origin::start(|seen| Answer::ok(&*seen.target));
    let second = Origin::start(|seen| match &*seen.target {
        "/same" => Answer::ok("/same"),
        _ => Answer::ok("something else"),
    });
    let more = "mirror: { service: second, compare: { body: true } }";
    let gateway = Gateway::start(&yaml(&first.url(), &second.url(), more));
    let mut client = gateway.client();
    for target in ["/same", "/same", "/other"] {
        assert_eq!(client.get(target).text(), target);
    }
    until("all pairs are compared", || {
        let metrics = gateway.ask("/metrics").text();
        let counted = ["result=\"same\"} 2", "result=\"body\"} 1"];
        counted
            .iter()
            .all(|count| metrics.contains(count))
            .then_some(())
    });
}

#[test]
fn a_shadow_that_hangs_holds_up_nobody() {
    let (hung, release) = mpsc::channel::<()>();
    let release = std::sync::Mutex::new(release);
    let first = Origin::saying("fine");
    let second = Origin::start(move |_| {
        // Hangs until the test has seen every answer.
        let _ = release.lock().unwrap().recv_timeout(PATIENCE);
        Answer::script(|stream| {
            let _ = io::copy(stream, &mut io::sink());
        })
    });
    let more = "mirror: { service: second, max_in_flight: 1, max_body: 4B }";
    let yaml = yaml(&first.url(), &second.url(), more).replace("workers: 2", "workers: 1");
    let gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    // Too large for a copy.
    assert_eq!(
        client.request_with("PUT", "/x", b"12345").reply().text(),
        "fine"
    );
    for _ in 0..5 {
        assert_eq!(client.get("/x").text(), "fine");
    }
    let metrics = gateway.ask("/metrics").text();
    for (outcome, count) in [("body", 1), ("full", 4)] {
        let line =
            format!("lintel_mirror_requests_total{{route=\"all\",outcome=\"{outcome}\"}} {count}");
        assert!(metrics.contains(&line), "{metrics}");
    }
    drop(hung);
}
