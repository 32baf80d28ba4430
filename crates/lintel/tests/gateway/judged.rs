//! Policies of the operator's own, in Rego and Cedar: as files that change while the gateway runs.

use std::{fs, path::Path};

use lintel_testkit::{Origin, until};
use serde_json::Value;

use crate::support::{Gateway, Load, lintel, with_routes};

const BOTH: &str = "
services: { origin: { endpoints: [\"ORIGIN\"] } }
defaults: { policies: { access_log: { format: json, to: stdout } } }
routes:
  rego:
    match: { path: \"/rego/*\" }
    policies:
      rego:
        policies: { own.rego: \"${file.FOLDER/own.rego}\" }
        data: [\"${file.FOLDER/data.json}\"]
    to: origin
  cedar:
    match: { path: \"/cedar/{id}\" }
    policies:
      cedar:
        policies: { own.cedar: \"${file.FOLDER/own.cedar}\" }
        schema: \"${file.FOLDER/own.cedarschema}\"
        principal: { type: User, id: 'request.headers[\"x-user\"]' }
        resource: { type: Order, id: path.id }
    to: origin
  open: { match: { path: \"/*\" }, to: origin }
";

const REGO: &str = r#"package lintel

default allow := {"allow": false, "reason": "not among the known"}

allow if {
    input.attributes.request.http.headers["x-user"] in data.known
}
"#;

const CEDAR: &str = "
@id(\"ada-reads\")
permit (principal == User::\"ada\", action == Action::\"GET\", resource);
@id(\"not-the-first\")
forbid (principal, action, resource == Order::\"1\");
";

const SCHEMA: &str = "
entity User, Order;
action GET appliesTo { principal: User, resource: Order };
";

/// A configuration, and its files in this folder.
fn written(folder: &Path, origin: &Origin) -> String {
    for (name, text) in [
        ("own.rego", REGO),
        ("data.json", r#"{ "known": ["ada"] }"#),
        ("own.cedar", CEDAR),
        ("own.cedarschema", SCHEMA),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let folder = folder.display().to_string();
    with_routes(
        &BOTH
            .replace("FOLDER", &folder)
            .replace("ORIGIN", &origin.url()),
    )
}

/// The status that somebody gets.
fn status(gateway: &Gateway, user: &str, target: &str) -> u16 {
    let head = format!("GET {target} HTTP/1.1\r\nHost: test\r\nX-User: {user}\r\n\r\n");
    gateway.client().send(head).reply().status
}

fn until_status(gateway: &Gateway, user: &str, target: &str, status_then: u16) {
    until("the changed file serves", || {
        (status(gateway, user, target) == status_then).then_some(())
    });
}

#[test]
fn files_of_policies_are_watched_and_a_broken_one_changes_nothing() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::saying("ok"));
    let gateway = Gateway::start(&written(folder.path(), &origin));
    let change = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    assert_eq!(status(&gateway, "ada", "/rego/7"), 200);
    assert_eq!(status(&gateway, "bob", "/rego/7"), 403);
    assert_eq!(status(&gateway, "ada", "/cedar/7"), 200);
    assert_eq!(status(&gateway, "bob", "/cedar/7"), 403);
    assert_eq!(status(&gateway, "ada", "/cedar/1"), 403);

    change("data.json", r#"{ "known": ["bob"] }"#);
    until_status(&gateway, "bob", "/rego/7", 200);
    assert_eq!(status(&gateway, "ada", "/rego/7"), 403);
    change("own.cedar", &CEDAR.replace("ada", "bob"));
    until_status(&gateway, "bob", "/cedar/7", 200);
    assert_eq!(status(&gateway, "ada", "/cedar/7"), 403);

    change("own.rego", &REGO.replace("in data.known", "in ]"));
    gateway.until_logged("own.rego:6:");
    assert_eq!(status(&gateway, "bob", "/rego/7"), 200);
    change("own.rego", REGO);
    // What fits no schema is noticed before it serves.
    change("own.cedar", &CEDAR.replace("Order::", "Invoice::"));
    gateway.until_logged("own.cedar:5:");
    assert_eq!(status(&gateway, "bob", "/cedar/7"), 200);
}

#[test]
fn reasons_are_in_the_log_and_not_in_answers() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::saying("ok"));
    let gateway = Gateway::start(&written(folder.path(), &origin));
    for (target, reason) in [
        ("/rego/7", "not among the known"),
        ("/cedar/1", "forbidden by own.cedar/not-the-first"),
        ("/cedar/7", "no policy permits it"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: test\r\nX-User: eve\r\n\r\n");
        let reply = gateway.client().send(head).reply();
        assert_eq!(reply.status, 403);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["code"], "denied");
        assert!(!reply.text().contains(reason), "{}", reply.text());
        let line = until("the request is logged", || {
            let lines = gateway.stdout();
            lines
                .lines()
                .find(|line| line.contains(reason))
                .map(str::to_owned)
        });
        assert!(line.contains(target), "{line}");
    }
    until("the judgements are counted", || {
        let metrics = gateway.ask("/metrics").text();
        let counted = |line: &str| metrics.lines().any(|own| own == line);
        (counted(r#"lintel_judgements_total{policy="cedar",route="cedar",outcome="denied"} 2"#)
            && counted(r#"lintel_judgements_total{policy="rego",route="rego",outcome="denied"} 1"#))
        .then_some(())
    });
}

#[test]
fn explain_tells_what_decides() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::saying("ok"));
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, written(folder.path(), &origin)).unwrap();
    let file = file.display().to_string();
    for (target, line) in [
        ("http://a/rego/7", "lets pass what data.lintel.allow allows"),
        (
            "http://a/cedar/7",
            "asks whether request.headers[\"x-user\"] may request.method path.id",
        ),
    ] {
        let told = lintel(&["explain", &file, "GET", target]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains(line), "{told}");
    }
}

/// A comprehension that would run for hours takes no more than its time from a worker.
#[test]
fn a_policy_without_end_keeps_nobody_else_waiting() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::saying("ok"));
    let yaml = written(folder.path(), &origin);
    let endless = "package lintel\n\nallow if {\n    x := numbers.range(1, 90000)\n    \
                   count([1 | some a in x; some b in x; a * b == 0]) > 0\n}\n";
    fs::write(folder.path().join("own.rego"), endless).unwrap();
    let gateway = Gateway::start(&yaml);
    let load = Load::start(gateway.public());
    for _ in 0..20 {
        assert_eq!(status(&gateway, "ada", "/rego/7"), 500);
        load.until_answered(4);
    }
    assert_eq!(load.stop(), [""; 0]);
    gateway.until_logged("policy_timeout");
}
