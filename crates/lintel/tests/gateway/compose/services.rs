//! What services say of retries, breakers, ejection and hedging holds for the legs of a composition,
//! and what stands beside the route.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use lintel_testkit::{Answer, Origin, until};

use crate::support::{Gateway, with_routes};

/// A route `/home` with one leg; `service` and `route` are more of their settings.
fn yaml(endpoints: &[String], service: &str, route: &str, leg: &str) -> String {
    with_routes(&format!(
        "services: {{ it: {{ endpoints: {endpoints:?}{service} }} }}\n\
         routes: {{ home: {{ match: {{ path: /home }}, policies: {{ access_log: {{}} }}{route}, to: {{ compose: {{ legs: {{ a: {{ service: it, {leg} }} }} }} }} }} }}"
    ))
}

/// Fails so often, and then answers.
fn failing(times: usize, answer: fn() -> Answer) -> Origin {
    let asked = AtomicUsize::new(0);
    Origin::start(move |_| match asked.fetch_add(1, SeqCst) < times {
        true => answer(),
        false => Answer::ok("1"),
    })
}

fn counted(gateway: &Gateway, expected: &str) {
    let metrics = gateway.ask("/metrics").text();
    assert!(metrics.contains(expected), "{expected}: {metrics}");
}

#[test]
fn a_leg_is_tried_again_as_its_service_says() {
    let bad = || Answer::new(500, &[], "no");
    for (times, retry, leg, expected) in [
        (
            2,
            "attempts: 3, on: [5xx], backoff: { base: 1ms, max: 1ms }",
            "get: /",
            Some(3),
        ),
        (
            3,
            "attempts: 3, on: [5xx], backoff: { base: 1ms, max: 1ms }",
            "get: /",
            None,
        ),
        // POST is not repeated unless somebody says so.
        (
            1,
            "attempts: 3, on: [5xx], backoff: { base: 1ms, max: 1ms }",
            "post: /",
            None,
        ),
        // Nothing may be spent.
        (
            1,
            "attempts: 3, on: [5xx], budget: { share: 0%, min: 0/s }",
            "get: /",
            None,
        ),
    ] {
        let origin = failing(times, bad);
        let service = format!(", retry: {{ {retry} }}");
        let gateway = Gateway::start(&yaml(&[origin.url()], &service, "", leg));
        let reply = gateway.get("/home");
        assert_eq!(
            reply.status == 200,
            expected.is_some(),
            "{retry} {leg}: {}",
            reply.text()
        );
        if let Some(tries) = expected {
            assert_eq!(origin.seen().len(), tries);
            until("the tries are logged", || {
                let line = format!("\"attempts\":{tries}");
                gateway.stdout().contains(&line).then_some(())
            });
            counted(
                &gateway,
                "lintel_upstream_retries_total{service=\"it\",reason=\"status\"} 2",
            );
        }
    }
}

#[test]
fn a_leg_goes_to_another_endpoint() {
    let good = Origin::saying("1");
    let service =
        ", retry: { attempts: 3, on: [connect_failure], backoff: { base: 1ms, max: 1ms } }";
    let endpoints = [Origin::nobody(), good.url()];
    let gateway = Gateway::start(&yaml(&endpoints, service, "", "get: /"));
    for _ in 0..4 {
        assert_eq!(gateway.get("/home").text(), "{\"a\":1}");
    }
}

#[test]
fn a_try_has_its_own_time() {
    let origin = failing(1, Answer::silence);
    let service = ", retry: { attempts: 2, on: [timeout], per_try: 50ms }";
    let gateway = Gateway::start(&yaml(&[origin.url()], service, "", "get: /, timeout: 30s"));
    assert_eq!(gateway.get("/home").text(), "{\"a\":1}");
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn a_route_that_composes_can_say_how_often_its_legs_are_tried() {
    let origin = failing(1, || Answer::new(500, &[], "no"));
    let retry = ", retry: { attempts: 2, on: [5xx], backoff: { base: 1ms, max: 1ms } }";
    let gateway = Gateway::start(&yaml(
        &[origin.url()],
        ", retry: { attempts: 1 }",
        retry,
        "get: /",
    ));
    assert_eq!(gateway.get("/home").text(), "{\"a\":1}");
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn an_open_breaker_lets_a_leg_fail_at_once() {
    let origin = Origin::start(|_| Answer::new(500, &[], "no"));
    let service = ", breaker: { errors: 50%, min_requests: 4, open_for: 1h }";
    let gateway = Gateway::start(&yaml(&[origin.url()], service, "", "get: /"));
    for _ in 0..4 {
        assert_eq!(gateway.get("/home").status, 502);
    }
    let reply = gateway.get("/home");
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("leg_unavailable"), "{}", reply.text());
    assert_eq!(origin.seen().len(), 4);
    counted(&gateway, "result=\"unavailable\"} 1");
}

#[test]
fn an_endpoint_that_fails_legs_is_ejected() {
    let (bad, good) = (
        Origin::start(|_| Answer::new(500, &[], "no")),
        Origin::saying("1"),
    );
    let service = ", eject: { consecutive_5xx: 2, for: 1h, max_ejected: 50% }";
    let gateway = Gateway::start(&yaml(&[bad.url(), good.url()], service, "", "get: /"));
    until("the endpoint is ejected", || {
        gateway.get("/home");
        let metrics = gateway.ask("/metrics").text();
        metrics
            .contains("lintel_upstream_ejections_total{service=\"it\"")
            .then_some(())
    });
    let before = bad.seen().len();
    for _ in 0..8 {
        assert_eq!(gateway.get("/home").text(), "{\"a\":1}");
    }
    assert_eq!(bad.seen().len(), before);
}

#[test]
fn a_slow_leg_is_hedged() {
    let (slow, fast) = (Origin::start(|_| Answer::silence()), Origin::saying("1"));
    let service = ", retry: { hedge: { after: 20ms } }";
    let gateway = Gateway::start(&yaml(&[slow.url(), fast.url()], service, "", "get: /"));
    until("the slow one was asked first", || {
        assert_eq!(gateway.get("/home").text(), "{\"a\":1}");
        (!slow.seen().is_empty()).then_some(())
    });
    counted(&gateway, "lintel_upstream_hedges_won_total{service=\"it\"}");
}

#[test]
fn a_route_that_composes_has_a_fallback() {
    let old = Origin::saying("from the old one");
    let gone = Origin::nobody();
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ gone: {{ endpoints: [\"{gone}\"] }}, old: {{ endpoints: [\"{}\"] }} }}\n\
         routes: {{ home: {{ match: {{ path: /home }}, fallback: {{ service: old }}, to: {{ compose: {{ legs: {{ a: {{ service: gone, get: / }} }} }} }} }} }}",
        old.url()
    )));
    let reply = gateway.get("/home?x=1");
    assert_eq!((reply.status, &*reply.text()), (200, "from the old one"));
    assert_eq!(reply.header("x-fallback"), Some("unreachable"));
    assert_eq!(old.only().target, "/home?x=1");
}

#[test]
fn a_composed_answer_is_compared_with_another_service() {
    let (new, old) = (Origin::saying("1"), Origin::saying("{\"a\":1}"));
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let other = Origin::start(move |seen| {
        let _ = tell.lock().unwrap().send(seen.target.clone());
        Answer::ok("{\"a\":2}")
    });
    for (shadow, result) in [(&old, "same"), (&other, "body")] {
        let gateway = Gateway::start(&with_routes(&format!(
            "services: {{ new: {{ endpoints: [\"{}\"] }}, old: {{ endpoints: [\"{}\"] }} }}\n\
             routes: {{ home: {{ match: {{ path: /home }}, mirror: {{ service: old, compare: {{ body: true }} }}, to: {{ compose: {{ legs: {{ a: {{ service: new, get: / }} }} }} }} }} }}",
            new.url(),
            shadow.url()
        )));
        assert_eq!(gateway.get("/home?x").text(), "{\"a\":1}");
        let expected =
            format!("lintel_mirror_compared_total{{route=\"home\",result=\"{result}\"}} 1");
        until("the answers are compared", || {
            gateway
                .ask("/metrics")
                .text()
                .contains(&expected)
                .then_some(())
        });
    }
    assert_eq!(
        told.recv_timeout(Duration::from_secs(60)).as_deref(),
        Ok("/home?x")
    );
}

#[test]
fn a_composition_is_drawn_with_a_request() {
    let fast = Origin::saying("{\"id\":7}");
    let (bad, yaml) = (
        Origin::start(|_| Answer::new(500, &[], "no")),
        |bad: &str, fast: &str| {
            with_routes(&format!(
                "services: {{ fast: {{ endpoints: [\"{fast}\"] }}, bad: {{ endpoints: [\"{bad}\"] }} }}\n\
             routes:\n  home: {{ match: {{ path: /home }}, to: {{ compose: {{ legs: {{ profile: {{ service: fast, get: \"/a?x=1&y\" }}, recs: {{ service: bad, get: \"/r/${{legs.profile.body.id}}\", optional: true }} }} }} }} }}\n  plain: {{ match: {{ path: /plain }}, to: fast }}"
            ))
        },
    );
    let gateway = Gateway::start(&yaml(&bad.url(), &fast.url()));
    let plan =
        || serde_json::from_str::<serde_json::Value>(&gateway.ask("/routes/home/compose").text());
    let before = plan().unwrap();
    assert_eq!(before["legs"].as_array().unwrap().len(), 2);
    assert_eq!(before["samples"], serde_json::json!([]));
    let drawn = gateway.ask("/routes/home/compose.svg");
    assert!(drawn.text().contains("No request has been seen yet."));
    assert_eq!(gateway.get("/home").status, 200);
    let after = plan().unwrap();
    let sample = &after["samples"][0];
    assert_eq!(sample["result"], "partial");
    assert_eq!(sample["legs"][0]["result"], "answered");
    assert_eq!(sample["legs"][1]["status"], 500);
    let (first, second) = (&sample["legs"][0], &sample["legs"][1]);
    let end = first["at_ms"].as_f64().unwrap() + first["took_ms"].as_f64().unwrap();
    assert!(second["at_ms"].as_f64().unwrap() >= end, "{sample}");
    let drawn = gateway.ask("/routes/home/compose.svg");
    assert_eq!(drawn.header("content-type"), Some("image/svg+xml"));
    let svg = drawn.text();
    for part in [
        "<svg ",
        ">profile<",
        "fast: GET /a?x=1&amp;y",
        "status</text>",
        "</svg>",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    // One edge from leg to leg, and one to the answer.
    assert_eq!(svg.matches("class=\"edge\"").count(), 2);
    for (target, status) in [
        ("/routes/plain/compose", 404),
        ("/routes/none/compose.svg", 404),
        ("/routes/home/compose.svg?sample=9", 200),
        ("/routes/home/compose.svg?sample=x", 400),
    ] {
        assert_eq!(gateway.ask(target).status, status, "{target}");
    }
}
