//! What is read again although the configuration did not change.

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

#[test]
fn consumers_from_outside_are_built_once_for_configurations_that_mean_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (file, entries) = (
        folder.path().join("gateway.yaml"),
        folder.path().join("entries"),
    );
    fs::write(&entries, "consumers: { acme: {} }").unwrap();
    let build_with = |more: &str, before: Option<&lintel_config::Built>| {
        let yaml = format!(
            "version: 1\nlisteners: {{ public: {{ bind: 127.0.0.1:8080 }} }}\n\
             directory: {{ file: entries }}\n{more}\n\
             routes: {{ a: {{ match: {{ path: /* }}, to: {{ respond: {{ status: 204 }} }} }} }}\n"
        );
        fs::write(&file, yaml).unwrap();
        let loaded = load(&file).unwrap_or_else(|report| panic!("{report}"));
        build(&loaded, 1, before).unwrap_or_else(|report| panic!("{report}"))
    };
    let first = build_with("", None);
    let same = |one: &lintel_config::Built, other: &lintel_config::Built| {
        let of = |built: &lintel_config::Built| built.directory().unwrap().clone();
        of(one).is(&of(other))
    };
    let second = build_with("zone: here", Some(&first));
    assert!(same(&first, &second));
    let third = build_with("consumers: { umbrella: {} }", Some(&second));
    assert!(!same(&second, &third));
    assert_eq!(third.directory().unwrap().status().consumers, 1);
}

#[test]
fn what_a_proto_file_says_makes_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let (file, proto) = (
        folder.path().join("gateway.yaml"),
        folder.path().join("a.proto"),
    );
    fs::write(
        &file,
        "version: 1\nlisteners: { public: { bind: 127.0.0.1:8080 } }\n\
         services: { a: { endpoints: [http://10.0.0.7], protocol: grpc, descriptors: [a.proto] } }\n\
         routes: { a: { match: { path: /* }, to: { grpc: { service: a, bind: { a.S.Get: [{ method: GET, path: /a }] } } } } }\n",
    )
    .unwrap();
    let version = |field: &str| {
        let text = format!(
            "syntax = \"proto3\"; package a; message M {{ string {field} = 1; }}\n\
             service S {{ rpc Get(M) returns (M); }}"
        );
        fs::write(&proto, text).unwrap();
        load(&file)
            .unwrap_or_else(|report| panic!("{}", report.render(&Style::plain())))
            .version
    };
    let first = version("x");
    assert_eq!(version("x"), first);
    assert_ne!(version("y"), first);
}
