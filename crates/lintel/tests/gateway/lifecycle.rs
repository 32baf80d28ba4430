//! How a gateway starts, stops, and makes way for another.

use std::sync::{Condvar, Mutex};

use lintel_testkit::{Answer, Client, Origin, until};

use crate::support::{Gateway, Load, lintel, to_origin, with_routes};

#[test]
fn requests_in_flight_are_answered_after_sigterm() {
    let gate: &'static Gate = Box::leak(Box::default());
    let origin = Origin::start(|_| gate.pass("done"));
    let mut gateway = Gateway::start(&to_origin(&origin, ""));
    let mut clients: Vec<_> = (0..8).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.request("GET", "/");
    }
    origin.until_seen(8);
    gateway.signal(libc::SIGTERM);
    gateway.until_logged("draining");
    assert_eq!(gateway.ask("/readyz").status, 503);
    assert_eq!(gateway.ask("/healthz").status, 200);
    gate.open();
    for client in &mut clients {
        let reply = client.reply();
        assert_eq!((reply.status, reply.text().as_str()), (200, "done"));
        assert_eq!(reply.header("connection"), Some("close"));
    }
    assert_eq!(gateway.exit().code(), Some(0));
    gateway.until_logged("drained cut=0");
}

#[test]
fn sigterm_under_load_fails_no_request() {
    let origin = Origin::saying("ok");
    let mut gateway = Gateway::start(&to_origin(&origin, ""));
    let load = Load::start(gateway.public());
    load.may_end();
    gateway.signal(libc::SIGTERM);
    assert_eq!(gateway.exit().code(), Some(0));
    assert_eq!(load.join(), [""; 0]);
}

#[test]
fn what_takes_longer_than_the_drain_timeout_is_cut() {
    let origin = Origin::start(|_| Answer::silence());
    let yaml = to_origin(&origin, "") + "drain_timeout: 200ms\n";
    let mut gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    client.request("GET", "/");
    origin.until_seen(1);
    gateway.signal(libc::SIGTERM);
    assert_eq!(gateway.exit().code(), Some(0));
    gateway.until_logged("drained cut=1");
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let origin = Origin::start(|_| Answer::silence());
    let yaml = to_origin(&origin, "timeout: 1h") + "drain_timeout: 1h\n";
    let yaml = yaml.replace(
        "endpoints:",
        "timeout: { idle: 1h, first_byte: 1h }, endpoints:",
    );
    let mut gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    client.request("GET", "/");
    origin.until_seen(1);
    gateway.signal(libc::SIGTERM);
    gateway.until_logged("draining");
    gateway.signal(libc::SIGTERM);
    gateway.exit();
    gateway.until_logged("asked to stop a second time");
}

#[test]
fn a_new_process_takes_over_under_load_and_nothing_fails() {
    let origin = Origin::saying("ok");
    let mut gateway = Gateway::start(&to_origin(&origin, ""));
    let address = gateway.public();
    let load = Load::start(address);
    gateway.signal(libc::SIGUSR2);
    gateway.until_logged("a new process serves");
    assert_eq!(gateway.exit().code(), Some(0));
    load.until_answered(50);
    assert_eq!(load.stop(), [""; 0]);
    assert_eq!(Client::connect(address).get("/").text(), "ok");
}

#[test]
fn a_new_process_that_can_not_start_changes_nothing() {
    let origin = Origin::saying("ok");
    let gateway = Gateway::start_unwatched(&to_origin(&origin, ""));
    gateway.write("nonsense");
    gateway.signal(libc::SIGUSR2);
    gateway.until_logged("nothing is handed over");
    assert_eq!(gateway.get("/").text(), "ok");
    assert_eq!(gateway.successor(), None);
}

#[test]
fn a_gateway_that_can_not_start_says_why() {
    let gateway = Gateway::start(&with_routes(""));
    let taken = with_routes("").replacen("127.0.0.1:0", &gateway.public().to_string(), 1);
    for (yaml, reason) in [
        (taken.as_str(), "in use"),
        ("version: 2\nlisteners: {}\n", "version"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("gateway.yaml");
        std::fs::write(&config, yaml).unwrap();
        let outcome = lintel(&["run", config.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&outcome.stderr).to_lowercase();
        assert_eq!(outcome.status.code(), Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn an_old_connection_of_a_drained_gateway_is_closed() {
    let mut gateway = Gateway::start(&with_routes(
        "routes: { r: { match: { path: / }, to: { respond: { body: hi } } } }",
    ));
    let mut idle = gateway.client();
    assert_eq!(idle.get("/").text(), "hi");
    gateway.signal(libc::SIGTERM);
    assert!(idle.is_closed());
    assert_eq!(gateway.exit().code(), Some(0));
    until("nobody listens any more", || {
        Client::try_connect(gateway.public()).is_err().then_some(())
    });
}

/// Holds answers back until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&'static self, body: &'static str) -> Answer {
        Answer::script(move |stream| {
            let open = self.is_open.lock().unwrap();
            drop(self.opened.wait_while(open, |open| !*open).unwrap());
            Answer::ok(body).write(stream);
        })
    }
}
