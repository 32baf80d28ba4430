//! The last good answer of a leg, by a whole gateway.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use lintel_testkit::{Answer, Client, Origin, Reply, until};

use crate::support::{Gateway, with_routes};

/// Answers who asks it, until it has been asked so often.
fn until_broken(times: usize) -> Origin {
    let asked = AtomicUsize::new(0);
    Origin::start(move |seen| match asked.fetch_add(1, SeqCst) < times {
        true => Answer::ok(format!("\"{}\"", seen.header("x-user").unwrap_or("nobody"))),
        false => Answer::new(503, &[], "no"),
    })
}

fn yaml(recs: &Origin, leg: &str, more: &str) -> String {
    with_routes(&format!(
        "services: {{ recs: {{ endpoints: [\"{}\"] }} }}\n\
         routes: {{ home: {{ match: {{ path: /home }}, policies: {{ access_log: {{}} }}, to: {{ compose: {{ legs: {{ recs: {{ service: recs, get: \"/r?q=${{request.query['q']}}\", {leg} }} }}, errors: _errors{more} }} }} }} }}",
        recs.url()
    ))
}

fn ask(client: &mut Client, user: &str, fields: &str) -> Reply {
    let request = format!("GET /home?q=1 HTTP/1.1\r\nHost: a\r\nX-User: {user}\r\n{fields}\r\n");
    client.send(request).reply()
}

#[test]
fn nobody_gets_the_copy_of_another() {
    for leg in [
        "last_good: {}, forward: [X-User]",
        "last_good: {}, headers: { X-User: '${request.headers[\"x-user\"]}' }",
    ] {
        let recs = until_broken(2);
        let gateway = Gateway::start(&yaml(&recs, leg, ""));
        let mut client = gateway.client();
        for user in ["ada", "bob"] {
            let told = ask(&mut client, user, "").text();
            assert_eq!(told, format!("{{\"recs\":\"{user}\"}}"));
        }
        for user in ["ada", "bob"] {
            // By another way, and in another trace, it is the same request.
            let reply = ask(
                &mut client,
                user,
                "X-Forwarded-For: 1.2.3.4\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
            );
            let told = reply.text();
            assert!(
                told.starts_with(&format!("{{\"recs\":\"{user}\",")),
                "{told}"
            );
            assert!(
                told.contains("\"code\":\"status\",\"last_good\":"),
                "{told}"
            );
            let partial = reply.header("x-partial").unwrap();
            assert!(partial.starts_with("recs=status;last_good="), "{partial}");
            assert_eq!(reply.status, 200);
        }
        let eve = ask(&mut client, "eve", "");
        assert_eq!(eve.status, 502, "{}", eve.text());
        let metrics = gateway.ask("/metrics").text();
        let count = "lintel_compose_last_good_total{route=\"home\",leg=\"recs\"} 2";
        assert!(metrics.contains(count), "{metrics}");
        until("the copy is logged", || {
            gateway.stdout().contains("\"last_good\":").then_some(())
        });
    }
}

#[test]
fn another_host_is_another_request() {
    let recs = until_broken(1);
    let gateway = Gateway::start(&yaml(&recs, "last_good: {}, fallback: null", ""));
    let mut client = gateway.client();
    let ask = |client: &mut Client, host: &str| {
        let request = format!("GET /home?q=1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        client.send(request).reply().text()
    };
    assert_eq!(ask(&mut client, "one.example"), "{\"recs\":\"nobody\"}");
    assert!(ask(&mut client, "one.example").starts_with("{\"recs\":\"nobody\","));
    assert!(ask(&mut client, "two.example").starts_with("{\"recs\":null,"));
}

#[test]
fn copies_outlive_a_reload_of_something_else() {
    let recs = until_broken(1);
    let one = yaml(&recs, "last_good: { max_age: 1h }", "");
    let gateway = Gateway::start(&one);
    let mut client = gateway.client();
    assert_eq!(ask(&mut client, "ada", "").text(), "{\"recs\":\"nobody\"}");
    gateway.write(&yaml(
        &recs,
        "last_good: { max_age: 1h }",
        ", header: X-Missing",
    ));
    assert!(gateway.reload().status.success());
    let reply = ask(&mut client, "ada", "");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("x-missing").is_some());
    // What is another leg has no copies of the one before.
    gateway.write(&yaml(
        &recs,
        "last_good: { max_age: 1h }, expect: { 404: null }",
        "",
    ));
    assert!(gateway.reload().status.success());
    assert_eq!(ask(&mut client, "ada", "").status, 502);
}
