//! What is read again although the configuration did not change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use lintel_config::{Style, build, load};

const YAML: &str = "version: 1
listeners: { public: { bind: 127.0.0.1:8080 } }
services:
  orders:
    endpoints: [\"https://10.0.0.7\"]
    tls: { ca: ca.pem }
routes: { orders: { match: { path: /orders/* }, to: orders } }
";

#[test]
fn the_ca_of_a_service_that_did_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let (file, ca) = (
        folder.path().join("gateway.yaml"),
        folder.path().join("ca.pem"),
    );
    fs::write(&file, YAML).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    fs::write(&ca, made.cert.pem()).unwrap();
    let loaded = load(&file).unwrap();
    let built = build(&loaded, 1, None)
        .unwrap_or_else(|report| panic!("{}", report.render(&Style::plain())));
    fs::write(&ca, "no certificate").unwrap();
    let Err(report) = build(&load(&file).unwrap(), 2, Some(&built)) else {
        panic!("the file was not read again");
    };
    let report = report.render(&Style::plain());
    assert!(
        report.contains("ca.pem") && report.contains("gateway.yaml:6"),
        "{report}"
    );
}
