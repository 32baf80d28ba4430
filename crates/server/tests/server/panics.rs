//! A panic ends one request.

use lintel_telemetry::log::install_panic_hook;
use tracing::{Event, Metadata, Subscriber, span};

use crate::support::{Gateway, Raw, child, frames::*, spec};

/// Panics where the proxy reports that a service did not answer: in the middle of a request.
struct Mine;

impl Subscriber for Mine {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("lintel_proxy::dispatch")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        panic!("a test steps on a mine");
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Runs in a process of its own: what it sets up is global.
#[test]
fn child_panics() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    tracing::subscriber::set_global_default(Mine).unwrap();
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = Gateway::start(nowhere, vec![spec("public")]);
    install_panic_hook(gateway.catalogue.clone());

    let mut bystander = gateway.connect("public");
    assert_eq!(bystander.get("/own").body, "one");
    let mut client = gateway.connect("public");
    let answer = client.get("/hello");
    assert_eq!((answer.status, answer.closes()), (500, true));
    assert!(
        answer.body.contains("\"code\":\"internal_error\""),
        "{answer:?}"
    );
    assert!(!answer.body.contains("mine"), "{answer:?}");
    assert!(client.is_closed());

    let mut raw = Raw::connect(gateway.address("public"), &[]);
    raw.request(1, "GET", "/hello", true);
    let problem = raw.find(DATA).unwrap();
    assert!(String::from_utf8_lossy(&problem.payload).contains("internal_error"));
    raw.request(3, "GET", "/own", true);
    assert_eq!(raw.find(DATA).unwrap().payload, b"one");

    assert_eq!(bystander.get("/own").body, "one");
    gateway.await_metric("lintel_panics_total", "", 2.0);
    gateway.await_metric("lintel_requests_total", "status=\"500\"", 2.0);
    assert!(
        gateway
            .server
            .status()
            .iter()
            .all(|worker| worker.active == 0)
    );
}

const CHILD: &str = "LINTEL_TEST_PANICS";

#[test]
fn a_panic_is_answered_500_for_that_request_alone() {
    let status = child("panics::child_panics")
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success());
}
