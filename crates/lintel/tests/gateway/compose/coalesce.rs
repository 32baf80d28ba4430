//! Requests that are the same and come at the same time are answered by one run.

use std::sync::{Arc, Condvar, Mutex};

use lintel_testkit::{Answer, Client, Origin, until};

use crate::support::{Gateway, with_routes};

/// Holds answers back until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// An origin that answers once it is let, and how.
fn held(status: u16) -> (Origin, Arc<Gate>) {
    let gate = Arc::<Gate>::default();
    let own = Arc::clone(&gate);
    let origin = Origin::start(move |seen| {
        own.pass();
        let user = seen.header("x-user").unwrap_or("nobody").to_owned();
        Answer::new(status, &[], format!("{{\"of\":\"{user}\"}}"))
    });
    (origin, gate)
}

fn gateway(origin: &Origin, compose: &str) -> Gateway {
    let yaml = with_routes(&format!(
        "services: {{ it: {{ endpoints: [\"{}\"] }} }}\n\
         routes: {{ home: {{ match: {{ path: \"/home/{{id}}\" }}, policies: {{ access_log: {{}} }}, to: {{ compose: {{ legs: {{ a: {{ service: it, get: \"/a/${{path.id}}\" }}, b: {{ service: it, get: /b }} }}, {compose} }} }} }} }}",
        origin.url()
    ));
    Gateway::start(&yaml.replace("workers: 2", "workers: 1"))
}

fn send(gateway: &Gateway, target: &str, fields: &str) -> Client {
    let mut client = gateway.client();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    client
}

fn until_joined(gateway: &Gateway, count: usize) {
    let line = format!("lintel_compose_coalesced_total{{route=\"home\"}} {count}\n");
    until("the others wait", || {
        gateway.ask("/metrics").text().contains(&line).then_some(())
    });
}

#[test]
fn twenty_requests_are_one_run() {
    let (origin, gate) = held(200);
    let gateway = gateway(&origin, "coalesce: {}, headers: { X-Id: \"${path.id}\" }");
    let first = send(&gateway, "/home/1", "");
    origin.until_seen(2);
    let others = (0..19).map(|at| send(&gateway, "/home/1", &format!("User-Agent: {at}\r\n")));
    let others: Vec<Client> = others.collect();
    until_joined(&gateway, 19);
    gate.open();
    for mut client in std::iter::once(first).chain(others) {
        let reply = client.reply();
        let expected = "{\"a\":{\"of\":\"nobody\"},\"b\":{\"of\":\"nobody\"}}";
        assert_eq!((reply.status, &*reply.text()), (200, expected));
        assert_eq!(reply.header("x-id"), Some("1"));
    }
    // Two calls, and not forty.
    assert_eq!(origin.seen().len(), 2);
    let metrics = gateway.ask("/metrics").text();
    let count = "lintel_compose_answers_total{route=\"home\",result=\"whole\"} 20";
    assert!(metrics.contains(count), "{metrics}");
    until("all are logged", || {
        let told = gateway.stdout().matches("\"coalesced\":true").count();
        (told == 19).then_some(())
    });
    // Who comes later asks anew.
    assert_eq!(send(&gateway, "/home/1", "").reply().status, 200);
    assert_eq!(origin.seen().len(), 4);
}

#[test]
fn what_differs_is_asked_for_itself() {
    for (compose, one, other) in [
        ("coalesce: {}", ("/home/1", ""), ("/home/2", "")),
        ("coalesce: {}", ("/home/1", ""), ("/home/1?x", "")),
        (
            "coalesce: {}, forward: [X-User]",
            ("/home/1", "X-User: ada\r\n"),
            ("/home/1", "X-User: bob\r\n"),
        ),
        (
            "coalesce: { by: [path.id] }, forward: [X-User]",
            ("/home/1", "X-User: ada\r\n"),
            ("/home/1", "X-User: bob\r\n"),
        ),
        (
            "coalesce: {}, headers: { X-Lang: '${request.headers[\"accept-language\"]}' }",
            ("/home/1", "Accept-Language: de\r\n"),
            ("/home/1", "Accept-Language: en\r\n"),
        ),
        (
            "coalesce: {}, status: 'request.headers[\"x-a\"] == \"1\" && legs.a.status == 200 ? 200 : 201'",
            ("/home/1", "X-A: 1\r\n"),
            ("/home/1", "X-A: 2\r\n"),
        ),
    ] {
        let (origin, gate) = held(200);
        let gateway = gateway(&origin, compose);
        let mut one = send(&gateway, one.0, one.1);
        origin.until_seen(2);
        let mut other = send(&gateway, other.0, other.1);
        origin.until_seen(4);
        gate.open();
        let [one, other] = [one.reply(), other.reply()];
        assert!([200, 201].contains(&one.status) && [200, 201].contains(&other.status));
        if compose.contains("forward") {
            assert!(
                one.text().contains("ada") && other.text().contains("bob"),
                "{compose}"
            );
        }
        if compose.contains("X-Lang") {
            let told = (one.header("x-lang"), other.header("x-lang"));
            assert_eq!(told, (Some("de"), Some("en")));
        }
        if compose.contains("X-A") || compose.contains("x-a") {
            assert_eq!((one.status, other.status), (200, 201));
        }
    }
}

#[test]
fn callers_share_only_what_is_said_to_be_for_all() {
    let (origin, gate) = held(200);
    let compose = "coalesce: { by: [path.id], across_callers: true }, forward: [X-User]";
    let gateway = gateway(&origin, compose);
    let mut one = send(&gateway, "/home/1?x=1", "X-User: ada\r\n");
    origin.until_seen(2);
    let mut other = send(&gateway, "/home/1?x=2", "X-User: bob\r\n");
    until_joined(&gateway, 1);
    gate.open();
    assert_eq!(one.reply().text(), other.reply().text());
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn failures_are_shared() {
    let (origin, gate) = held(500);
    let gateway = gateway(&origin, "coalesce: {}, error: { json: { error: gone } }");
    let mut one = send(&gateway, "/home/1", "");
    origin.until_seen(2);
    let mut other = send(&gateway, "/home/1", "");
    until_joined(&gateway, 1);
    gate.open();
    for client in [&mut one, &mut other] {
        let reply = client.reply();
        assert_eq!(
            (reply.status, &*reply.text()),
            (503, "{\"error\":\"gone\"}")
        );
    }
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn nobody_fails_because_another_has_left() {
    let (origin, gate) = held(200);
    let gateway = gateway(&origin, "coalesce: {}");
    let first = send(&gateway, "/home/1", "");
    origin.until_seen(2);
    let mut others = [send(&gateway, "/home/1", ""), send(&gateway, "/home/1", "")];
    until_joined(&gateway, 2);
    drop(first);
    // One of the others runs the legs anew, the third waits for it.
    origin.until_seen(4);
    gate.open();
    for client in &mut others {
        assert_eq!(client.reply().status, 200);
    }
    assert_eq!(origin.seen().len(), 4);
}

#[test]
fn only_so_many_wait() {
    let (origin, gate) = held(200);
    let gateway = gateway(&origin, "coalesce: { max_waiting: 1 }");
    let mut all = vec![send(&gateway, "/home/1", "")];
    origin.until_seen(2);
    all.push(send(&gateway, "/home/1", ""));
    until_joined(&gateway, 1);
    all.push(send(&gateway, "/home/1", ""));
    origin.until_seen(4);
    gate.open();
    assert!(all.iter_mut().all(|client| client.reply().status == 200));
}

#[test]
fn who_waits_has_a_time_of_its_own() {
    let origin = Origin::start(|_| Answer::silence());
    let yaml = with_routes(&format!(
        "services: {{ it: {{ endpoints: [\"{}\"] }} }}\n\
         routes: {{ home: {{ match: {{ path: /home }}, timeout: 300ms, to: {{ compose: {{ legs: {{ a: {{ service: it, get: / }} }}, coalesce: {{}} }} }} }} }}",
        origin.url()
    ));
    let gateway = Gateway::start(&yaml.replace("workers: 2", "workers: 1"));
    let mut one = send(&gateway, "/home", "");
    origin.until_seen(1);
    let mut other = send(&gateway, "/home", "");
    assert_eq!((one.reply().status, other.reply().status), (504, 504));
    assert_eq!(origin.seen().len(), 1);
}
