//! Groups of routes: what each says for its own.

use lintel_testkit::{Origin, Reply};

use crate::support::{Gateway, with_routes};

/// Two kinds of clients before one service, and a route that is nobody's.
fn gateway(origin: &Origin) -> Gateway {
    Gateway::start(&with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\n\
         defaults: {{ policies: {{ headers: {{ request: {{ set: {{ X-From: everybody }} }} }} }} }}\n\
         errors: {{ 404: {{ content_type: text/plain, body: edge }} }}\n\
         groups:\n\
         \x20 mobile:\n    owner: team-mobile\n    host: [m.test, '*.m.test']\n\
         \x20   defaults: {{ policies: {{ headers: {{ request: {{ set: {{ X-From: mobile }} }} }}, rate_limit: [{{ rate: 2/h }}] }} }}\n\
         \x20   errors: {{ 404: {{ content_type: text/plain, body: app }}, 429: {{ content_type: text/plain, body: calm }} }}\n\
         \x20   routes:\n\
         \x20     home: {{ match: {{ path: /home }}, to: origin }}\n\
         \x20     feed: {{ match: {{ path: /feed }}, policies: {{ headers: {{ request: {{ set: {{ X-From: feed }} }} }} }}, to: origin }}\n\
         \x20     one: {{ match: {{ path: /one, host: m.test }}, to: origin }}\n\
         \x20 web:\n    host: w.test\n\
         \x20   defaults: {{ policies: {{ rate_limit: [{{ rate: 2/h }}] }} }}\n\
         \x20   routes: {{ home: {{ match: {{ path: /home }}, to: origin }} }}\n\
         routes: {{ flat: {{ group: web, match: {{ path: /flat }}, to: origin }} }}",
        origin.url()
    )))
}

fn get(gateway: &Gateway, host: &str, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    gateway.client().send(request).reply()
}

#[test]
fn routes_inherit_from_their_group_and_it_from_the_defaults() {
    let origin = Origin::saying("");
    let gateway = gateway(&origin);
    for (host, path, from) in [
        ("m.test", "/home", "mobile"),
        ("eu.m.test", "/feed", "feed"),
        ("w.test", "/home", "everybody"),
        ("w.test", "/flat", "everybody"),
    ] {
        assert_eq!(get(&gateway, host, path).status, 200, "{host}{path}");
        let seen = origin.seen().pop().unwrap();
        assert_eq!(seen.header("x-from"), Some(from), "{host}{path}");
    }
}

#[test]
fn a_route_takes_the_hosts_of_its_group_or_fewer() {
    let origin = Origin::saying("");
    let gateway = gateway(&origin);
    assert_eq!(get(&gateway, "m.test", "/one").status, 200);
    for (host, path) in [
        ("eu.m.test", "/one"),
        ("other.test", "/home"),
        ("m.test", "/flat"),
    ] {
        assert_eq!(get(&gateway, host, path).status, 404, "{host}{path}");
    }
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn the_limit_of_a_group_counts_its_routes_together_and_no_other() {
    let origin = Origin::saying("");
    let gateway = gateway(&origin);
    let statuses = ["/home", "/feed", "/one"].map(|path| get(&gateway, "m.test", path).status);
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(&*get(&gateway, "m.test", "/home").body, b"calm");
    let statuses = ["/home", "/flat", "/home"].map(|path| get(&gateway, "w.test", path).status);
    assert_eq!(statuses, [200, 200, 429]);
    let metrics = gateway.ask("/metrics").text();
    for (group, refused) in [("mobile", 2), ("web", 1)] {
        let counted = metrics.lines().filter(|line| {
            line.starts_with("lintel_rate_limit_requests_total{")
                && line.contains(&format!("groups.{group}"))
                && line.contains("refused")
        });
        let counted: u64 = counted
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(counted, refused, "{group}: {metrics}");
    }
}

#[test]
fn what_no_route_takes_is_answered_as_the_clients_of_the_host_read_it() {
    let gateway = gateway(&Origin::saying(""));
    for (host, body) in [
        ("m.test", "app"),
        ("a.b.m.test", "app"),
        ("w.test", "edge"),
        ("other.test", "edge"),
        ("xm.test", "edge"),
    ] {
        let reply = get(&gateway, host, "/nothing");
        assert_eq!(
            (reply.status, &*reply.body),
            (404, body.as_bytes()),
            "{host}"
        );
    }
}
