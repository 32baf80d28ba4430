//! Plain traffic from a client to an origin and back.

use std::sync::{Mutex, mpsc};

use lintel_testkit::{Answer, Origin, Reply};

use crate::support::{Gateway, to_origin, to_url, with_routes};

#[test]
fn connections_are_kept_on_both_sides() {
    let origin = Origin::saying("hello");
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    (0..5).for_each(|_| assert_eq!(client.get("/x").text(), "hello"));
    assert_eq!((origin.seen().len(), origin.connections()), (5, 1));
}

#[test]
fn a_body_with_a_length_reaches_the_origin_and_comes_back() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let body = b"0123456789".repeat(50_000);
    let reply = gateway.client().request_with("POST", "/x", &body).reply();
    assert!(reply.complete && reply.body == body);
}

#[test]
fn a_body_in_chunks_reaches_the_origin_and_comes_back() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let head = "PUT /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = gateway.client();
    client
        .send(head)
        .send("3\r\nabc\r\n")
        .send("2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.reply().text(), "abcde");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start(|seen| Answer::ok(&seen.target));
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    client
        .request("GET", "/1")
        .request("GET", "/2")
        .request("GET", "/3");
    let answers = [(); 3].map(|()| client.reply().text());
    assert_eq!(answers, ["/1", "/2", "/3"]);
}

#[test]
fn head_has_a_length_and_no_body() {
    let origin = Origin::start(|_| Answer::head(1234));
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    for _ in 0..2 {
        let reply = client.request("HEAD", "/x").reply_to_head();
        assert_eq!(
            (reply.status, reply.header("content-length")),
            (200, Some("1234"))
        );
    }
}

#[test]
fn the_origin_learns_of_the_client_and_the_hop() {
    let origin = Origin::saying("");
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let reply = gateway.get("/a/./b//c?q=1");
    let seen = origin.only();
    assert_eq!(seen.target, "/a/b/c?q=1");
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-request-id"), reply.header("x-request-id"));
    assert!(
        seen.header("traceparent")
            .is_some_and(|value| value.starts_with("00-"))
    );
    assert!(
        seen.header("via")
            .is_some_and(|value| value.starts_with("1.1 "))
    );
}

#[test]
fn fields_of_the_connection_stay_on_their_side() {
    let origin = Origin::start(|_| {
        Answer::new(
            200,
            &[("Connection", "X-Hop"), ("X-Hop", "1"), ("X-End", "2")],
            "",
        )
    });
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let request =
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: X-Mine\r\nX-Mine: 1\r\nTE: gzip\r\n\r\n";
    let reply = gateway.client().send(request).reply();
    assert_eq!(
        (reply.header("x-hop"), reply.header("x-end")),
        (None, Some("2"))
    );
    assert_eq!(
        (origin.only().header("x-mine"), origin.only().header("te")),
        (None, None)
    );
}

#[test]
fn what_the_gateway_refuses_is_told_as_problem_details() {
    let origin = Origin::saying("");
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\n\
         routes: {{ only: {{ match: {{ path: /known, methods: [GET, POST] }}, to: origin }} }}",
        origin.url()
    )));
    assert_problem(&gateway.get("/unknown"), 404, "no_route");
    let reply = gateway.client().request("PUT", "/known").reply();
    assert_problem(&reply, 405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("GET, HEAD, POST"));
    let huge = "POST /known HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999999\r\n\r\n";
    assert_problem(&gateway.client().send(huge).reply(), 413, "body_too_large");
    assert!(origin.seen().is_empty());
}

#[test]
fn an_origin_that_is_not_there_is_502() {
    let gateway = Gateway::start(&to_url(&Origin::nobody(), ""));
    assert_problem(&gateway.get("/x"), 502, "upstream_connect_failed");
}

#[test]
fn an_origin_that_says_nothing_is_504() {
    let origin = Origin::start(|_| Answer::silence());
    let gateway = Gateway::start(&to_origin(&origin, "timeout: 200ms"));
    assert_problem(&gateway.get("/x"), 504, "upstream_timeout");
}

#[test]
fn a_split_goes_by_weight() {
    let [a, b, never] = ["a", "b", "never"].map(Origin::saying);
    let gateway = Gateway::start(&with_routes(&format!(
        "services:\n  a: {{ endpoints: [\"{}\"] }}\n  b: {{ endpoints: [\"{}\"] }}\n  \
         never: {{ endpoints: [\"{}\"] }}\n\
         routes: {{ r: {{ match: {{ path: / }}, to: {{ split: {{ services: {{ a: 3, b: 1, never: 0 }} }} }} }} }}",
        a.url(),
        b.url(),
        never.url()
    )));
    let mut client = gateway.client();
    (0..400).for_each(|_| assert_eq!(client.get("/").status, 200));
    let counts = [a, b, never].map(|origin| origin.seen().len());
    // 300 : 100 expected; ten standard deviations (87) are allowed.
    assert!((213..=387).contains(&counts[0]), "{counts:?}");
    assert_eq!((counts[0] + counts[1], counts[2]), (400, 0));
}

#[test]
fn policies_and_parameters_work_together() {
    let origin = Origin::saying("");
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ users: {{ endpoints: [\"{}\"] }} }}\n\
         routes:\n  user:\n    match: {{ path: \"/api/users/{{id}}\", headers: {{ X-Tenant: acme }} }}\n    \
         policies:\n      rewrite: {{ path: \"/v2/${{path.id}}\", host: users.internal }}\n      \
         headers: {{ request: {{ set: {{ X-Id: \"${{path.id}}\" }} }}, response: {{ add: {{ X-Served: lintel }} }} }}\n    \
         to: users",
        origin.url()
    )));
    let request = "GET /api/users/7?full HTTP/1.1\r\nHost: test\r\nX-Tenant: acme\r\n\r\n";
    let reply = gateway.client().send(request).reply();
    assert_eq!(
        (reply.status, reply.header("x-served")),
        (200, Some("lintel"))
    );
    let seen = origin.only();
    assert_eq!(
        (seen.target.as_str(), seen.header("host")),
        ("/v2/7?full", Some("users.internal"))
    );
    assert_eq!(seen.header("x-id"), Some("7"));
    assert_problem(&gateway.get("/api/users/7"), 404, "no_route");
}

#[test]
fn answers_and_redirects_need_no_origin() {
    let gateway = Gateway::start(&with_routes(
        "routes:\n  gone: { match: { path: /old }, to: { respond: { status: 410, json: { error: gone } } } }\n  \
         moved: { match: { path: \"/a/{rest..}\" }, to: { redirect: { to: \"/b/${path.rest}\", status: 308 } } }",
    ));
    let gone = gateway.get("/old");
    assert_eq!(
        (gone.status, gone.text().as_str()),
        (410, r#"{"error":"gone"}"#)
    );
    let moved = gateway.get("/a/x/y");
    assert_eq!(
        (moved.status, moved.header("location")),
        (308, Some("/b/x/y"))
    );
}

#[test]
fn server_sent_events_arrive_one_by_one() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(Some(released));
    let origin = Origin::start(move |_| {
        let released = released.lock().unwrap().take().unwrap();
        events(released)
    });
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    client
        .request("GET", "/events")
        .bytes_until("data: one\n\n");
    release.send(()).unwrap();
    client.bytes_until("data: two\n\n");
}

/// One event at once, and the other when the client has said that it has the first.
fn events(released: mpsc::Receiver<()>) -> Answer {
    Answer::script(move |stream| {
        use std::io::Write as _;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"data: one\n\n").unwrap();
        if released.recv().is_ok() {
            stream.write_all(b"data: two\n\n").unwrap();
        }
    })
}

fn assert_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json")
    );
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&status.into(), &code.into())
    );
    assert_eq!(problem["instance"].as_str(), reply.header("x-request-id"));
}
