//! A gateway that is short of something refuses the least important requests.

use lintel_testkit::{Client, Origin, Reply, until};

use crate::support::{Gateway, with_routes};

fn gateway(origin: &Origin) -> Gateway {
    let url = origin.url();
    Gateway::start(&with_routes(&format!(
        "overload: {{ connections: 20, best_effort: 50%, default: 75%, recover: 10%, queue_delay: 1h }}\n\
         services: {{ origin: {{ endpoints: [\"{url}\"] }} }}\n\
         routes:\n  \
           low: {{ match: {{ path: /low }}, to: origin, priority: best_effort }}\n  \
           plain: {{ match: {{ path: /plain }}, to: origin }}\n  \
           high: {{ match: {{ path: /high }}, to: origin, priority: critical }}"
    )))
}

/// Waits until requests for `target` have this status.
fn until_status(client: &mut Client, target: &str, status: u16) -> Reply {
    until(&format!("{target} is answered with {status}"), || {
        let reply = client.get(target);
        (reply.status == status).then_some(reply)
    })
}

#[test]
fn connections_push_out_the_least_important() {
    let origin = Origin::saying("");
    let gateway = gateway(&origin);
    // Connections of both workers count: a request on each has made sure that it was accepted.
    let mut clients: Vec<Client> = (0..11).map(|_| gateway.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/plain").status, 200);
    }
    let reply = until_status(&mut clients[0], "/low", 503);
    assert_eq!(reply.header("retry-after"), Some("2"));
    assert!(
        reply.text().contains("\"code\":\"overloaded\""),
        "{}",
        reply.text()
    );
    assert_eq!(clients[0].get("/plain").status, 200);

    clients.extend((0..5).map(|_| gateway.client()));
    until_status(&mut clients[0], "/plain", 503);
    for client in &mut clients {
        assert_eq!(client.get("/high").status, 200);
    }
    gateway.until_logged("overloaded: requests are refused");
    let metrics = gateway.ask("/metrics").text();
    let shed = "lintel_shed_total{priority=\"default\",reason=\"connections\"}";
    assert!(metrics.contains(shed), "{metrics}");
    assert!(metrics.contains("lintel_pressure_percent{signal=\"connections\",worker=\"\"}"));

    clients.truncate(1);
    until_status(&mut clients[0], "/low", 200);
    gateway.until_logged("less overloaded");
}
