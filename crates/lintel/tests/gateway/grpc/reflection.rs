//! Services that say themselves what their methods are: grpcio with grpcio-reflection.

use std::path::Path;

use lintel_testkit::{Origin, Reply, until};
use serde_json::{Value, json};

use crate::support::{Gateway, Peer, text, with_routes};

fn service(port: &str, version: &str) -> Peer {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/protos");
    Peer::start("library_server.py", &[&text(protos), port, version])
}

fn configuration(url: &str, reflection: &str, more: &str) -> String {
    with_routes(&format!(
        "services: {{ library: {{ endpoints: [\"{url}\"], protocol: grpc, reflection: {{ {reflection} }} }} }}\n\
         routes:\n  library:\n    match: {{ path: \"/*\" }}\n    \
         to: {{ grpc: {{ service: library, openapi: /v1/openapi.json, {more} }} }}"
    ))
}

fn url(service: &Peer) -> String {
    format!("http://127.0.0.1:{}", service.port())
}

fn code(reply: &Reply) -> String {
    let problem: Value = serde_json::from_str(&reply.text()).unwrap();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

fn knows(gateway: &Gateway) {
    until("the methods are known", || {
        let reply = gateway.client().get("/v1/openapi.json");
        (reply.status == 200).then_some(())
    });
}

#[test]
fn the_service_says_what_its_methods_are() {
    for version in ["v1", "v1alpha"] {
        let service = service("0", version);
        let gateway = Gateway::start(&configuration(&url(&service), "", ""));
        knows(&gateway);
        let reply = gateway.client().get("/v1/isbn/7");
        assert_eq!(reply.status, 200, "{version}: {}", reply.text());
        let book: Value = serde_json::from_str(&reply.text()).unwrap();
        assert_eq!(
            (&book["isbn"], &book["kind"]),
            (&json!("7"), &json!("NOVEL"))
        );
        let errors = gateway.client().get("/v1/shelves/missing/books/2");
        let problem: Value = serde_json::from_str(&errors.text()).unwrap();
        assert_eq!(problem["details"][0]["reason"], "NO_BOOK");
    }
}

#[test]
fn a_service_that_is_away_at_first_is_waited_for() {
    let nobody = Origin::nobody();
    let gateway = Gateway::start(&configuration(&nobody, "refresh: 1s", ""));
    let early = gateway.client().get("/v1/isbn/7");
    assert_eq!((early.status, &*code(&early)), (503, "methods_unknown"));
    assert_eq!(early.header("retry-after"), Some("1"));
    assert_eq!(metric(&gateway, "lintel_descriptors_failing"), Some(1));
    let last = "lintel_descriptors_last_success_timestamp_seconds";
    assert_eq!(metric(&gateway, last), Some(0));
    let (_, port) = nobody.rsplit_once(':').unwrap();
    let _service = service(port, "v1");
    knows(&gateway);
    assert_eq!(gateway.client().get("/v1/isbn/7").status, 200);
    until("the answer is counted", || {
        (metric(&gateway, "lintel_descriptors_failing") == Some(0)).then_some(())
    });
    assert!(metric(&gateway, last) > Some(1_700_000_000));
    let refreshes = gateway.ask("/metrics").text();
    for result in ["failed", "changed"] {
        let series =
            format!("lintel_descriptor_refreshes_total{{service=\"library\",result=\"{result}\"}}");
        assert!(refreshes.contains(&series), "{series}");
    }
    // What nobody asks any more is not shown.
    gateway.write(&with_routes(
        "routes: { all: { match: { path: / }, to: { respond: { status: 204 } } } }",
    ));
    assert_eq!(gateway.reload().status.code(), Some(0));
    until(
        "what was asked for the configuration before is over",
        || metric(&gateway, last).is_none().then_some(()),
    );
}

/// A gauge of the service.
fn metric(gateway: &Gateway, name: &str) -> Option<i64> {
    let metrics = gateway.ask("/metrics").text();
    let series = format!("{name}{{service=\"library\"}} ");
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&series))?;
    Some(value.parse().unwrap())
}

/// What was known stays known: at a reload while the service is away, and for a gateway that starts
/// then and has the cache.
#[test]
fn what_was_known_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = format!("cache: \"{}\"", text(folder.path().join("library.pb")));
    let service = service("0", "v1");
    let url = url(&service);
    let gateway = Gateway::start(&configuration(&url, &cache, ""));
    knows(&gateway);
    drop(service);
    gateway.write(&configuration(&url, &cache, "max_message: 2MiB"));
    assert_eq!(gateway.reload().status.code(), Some(0));
    for gateway in [&gateway, &Gateway::start(&configuration(&url, &cache, ""))] {
        assert_eq!(gateway.client().get("/v1/openapi.json").status, 200);
        let away = gateway.client().get("/v1/isbn/7");
        assert_eq!(away.status, 502, "{}", away.text());
    }
    let without = Gateway::start(&configuration(&url, "", ""));
    assert_eq!(code(&without.client().get("/v1/isbn/7")), "methods_unknown");
}

#[test]
fn a_binding_that_does_not_fit_is_logged_and_the_route_waits() {
    let service = service("0", "v1");
    let bind = "bind: { library.v1.Library.Nothing: [{ method: GET, path: /v1/nothing }] }";
    let gateway = Gateway::start(&configuration(&url(&service), "", bind));
    until("the mistake is logged", || {
        gateway.logs("library.v1.Library.Nothing").then_some(())
    });
    assert_eq!(code(&gateway.client().get("/v1/isbn/7")), "methods_unknown");
    gateway.write(&configuration(&url(&service), "", ""));
    assert_eq!(gateway.reload().status.code(), Some(0));
    assert_eq!(gateway.client().get("/v1/isbn/7").status, 200);
}
