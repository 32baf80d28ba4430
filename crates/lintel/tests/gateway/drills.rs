//! Fault injection, seen from the client's side.

use lintel_testkit::{Answer, Origin, until};

use crate::support::{Gateway, to_origin};

#[test]
fn answers_are_broken_off() {
    let origin = Origin::start(|seen| match &*seen.target {
        "/empty" => Answer::ok(""),
        _ => Answer::ok("0123456789"),
    });
    let yaml = to_origin(&origin, "policies: { fault: { reset: { after: 4B } } }");
    let gateway = Gateway::start(&yaml);
    let reply = gateway.get("/x");
    assert_eq!((reply.status, reply.complete), (200, false));
    assert!(b"0123".starts_with(&reply.body), "{reply:?}");
    let reply = gateway.get("/empty");
    assert!(!reply.complete, "{reply:?}");
}

#[test]
fn a_delay_beyond_the_timeout_is_504() {
    let origin = Origin::saying("");
    let more = "timeout: 50ms, policies: { access_log: {}, fault: { delay: { time: 1h } } }";
    let gateway = Gateway::start(&to_origin(&origin, more));
    let reply = gateway.get("/x");
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("\"code\":\"policy_timeout\""));
    assert!(origin.seen().is_empty());
    until("the drill is logged", || {
        gateway
            .stdout()
            .contains("\"faults\":[\"delay\"]")
            .then_some(())
    });
    let metrics = gateway.ask("/metrics").text();
    let count = "lintel_faults_injected_total{route=\"all\",fault=\"delay\"} 1";
    assert!(metrics.contains(count), "{metrics}");
}

#[test]
fn a_delayed_request_comes_through_whole() {
    let origin = Origin::echo();
    let more = "policies: { fault: { delay: { time: 20ms }, bandwidth: { rate: 10MiB } } }";
    let gateway = Gateway::start(&to_origin(&origin, more));
    let body = b"0123456789".repeat(5_000);
    let mut client = gateway.client();
    for _ in 0..2 {
        let reply = client.request_with("POST", "/x", &body).reply();
        assert!(reply.complete && reply.body == body);
    }
}
