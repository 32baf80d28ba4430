//! Many HTTP/2 streams at a time, made by h2load.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use lintel_testkit::Origin;

use crate::support::{Authority, Gateway, h2load, on_listener, to_origin};

/// 8 connections of 25 streams; one connection carries more requests than the listener's default
/// allows.
const LOAD: &[&str] = &[
    "--requests=16000",
    "--clients=8",
    "--max-concurrent-streams=25",
];
const ALL_FINE: &str = "requests: 16000 total, 16000 started, 16000 done, 16000 succeeded, 0 failed, 0 errored, 0 timeout";
const LIMITS: &str = "limits: { requests_per_connection: 1000000 }";

#[test]
fn no_request_fails_in_plaintext() {
    let origin = Origin::saying("hello");
    let gateway = Gateway::start(&on_listener(&to_origin(&origin, ""), LIMITS));
    assert_all_fine(&format!("http://{}/", gateway.public()));
    assert_eq!(origin.seen().len(), 16_000);
}

#[test]
fn no_request_fails_over_tls() {
    let (origin, authority) = (Origin::saying("hello"), Authority::new());
    let settings = format!("{LIMITS}, {}", authority.listener());
    let gateway = Gateway::start(&on_listener(&to_origin(&origin, ""), &settings));
    let said = assert_all_fine(&format!("https://{}/", gateway.public()));
    assert!(said.contains("Application protocol: h2"), "{said}");
}

#[test]
fn no_request_fails_while_the_configuration_changes() {
    let origin = Origin::saying("hello");
    let yaml = on_listener(&to_origin(&origin, "timeout: 60s"), LIMITS);
    let gateway = Gateway::start_unwatched(&yaml);
    let url = format!("http://{}/", gateway.public());
    let ended = AtomicBool::new(false);
    let reloads = thread::scope(|scope| {
        scope.spawn(|| {
            let _end = Flag(&ended);
            assert_all_fine(&url);
        });
        let mut reloads = 0;
        while !ended.load(Ordering::SeqCst) {
            reloads += 1;
            gateway.write(&yaml.replace("60s", &format!("{}s", 60 + reloads)));
            assert_eq!(gateway.reload().status.code(), Some(0));
        }
        reloads
    });
    assert!(reloads > 3, "{reloads} reloads during the load");
}

/// Runs the load against a URL, and returns what h2load said.
fn assert_all_fine(url: &str) -> String {
    let said = h2load(&[LOAD, &[url]].concat());
    assert!(said.contains(ALL_FINE), "{said}");
    assert!(
        said.contains("status codes: 16000 2xx, 0 3xx, 0 4xx, 0 5xx"),
        "{said}"
    );
    said
}

/// Raised when dropped, so that a failure ends the other side too.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
