//! A GraphQL service of graphql-yoga and graphql-ws, and clients of graphql-sse and graphql-ws.

use lintel_testkit::until;

use crate::support::{Gateway, Peer, curl, with_routes};

#[test]
fn queries_and_subscriptions_pass() {
    let service = Peer::start_node("graphql_server.mjs");
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ books: {{ endpoints: [\"http://127.0.0.1:{}\"] }} }}\n\
         routes: {{ graphql: {{ match: {{ path: /graphql }}, to: books,\n\
           policies: {{ headers: {{ request: {{ set: {{ X-Tenant: acme }} }} }} }} }} }}",
        service.port()
    )));
    let port = gateway.public().port().to_string();
    Peer::run_node("graphql_client.mjs", &[&port]);
    // The subscribers are gone; the service has noticed when something happens there again.
    let url = format!("http://127.0.0.1:{port}/graphql");
    let tick = [
        "-H",
        "Content-Type: application/json",
        "-d",
        r#"{"query": "mutation { tick }"}"#,
    ];
    let ticked = curl(&[&tick[..], &[&url]].concat());
    assert_eq!(ticked, r#"{"data":{"tick":3}}"#);
    until("both subscriptions to end", || {
        (service.count("ended") == 2).then_some(())
    });
    let metrics = gateway.ask("/metrics").text();
    for status in ["101", "200", "400", "405"] {
        let mut lines = metrics
            .lines()
            .filter(|line| line.starts_with("lintel_requests_total{"));
        let status = format!("status=\"{status}\"");
        let found = lines.any(|line| line.contains("route=\"graphql\"") && line.contains(&status));
        assert!(found, "{status}");
    }
}
