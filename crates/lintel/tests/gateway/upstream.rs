//! Hedging, breakers of routes, deadlines and discovered endpoints, by a whole gateway.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

use lintel_testkit::{Answer, Origin, PATIENCE, until};

use crate::support::{Gateway, Load, on_listener, text, to_origin, with_routes};

#[test]
fn a_slow_endpoint_is_not_waited_for() {
    let slow = Origin::start(|_| Answer::silence());
    let fast = Origin::saying("fast");
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ orders: {{ endpoints: [\"{}\", \"{}\"], retry: {{ hedge: {{ after: 20ms }} }} }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, policies: {{ access_log: {{}} }}, to: orders }} }}",
        slow.url(),
        fast.url()
    )));
    let mut client = gateway.client();
    until("both were asked first", || {
        assert_eq!(client.get("/x").text(), "fast");
        (!slow.seen().is_empty()).then_some(())
    });
    until("the hedge is logged", || {
        gateway.stdout().contains("\"hedge\":\"won\"").then_some(())
    });
    let metrics = gateway.ask("/metrics").text();
    for counted in [
        "lintel_upstream_hedges_total{service=\"orders\"}",
        "lintel_upstream_hedges_won_total{service=\"orders\"}",
        "lintel_upstream_requests_active{service=\"orders\"} 0",
    ] {
        assert!(metrics.contains(counted), "{metrics}");
    }
}

#[test]
fn one_routes_breaker_stops_no_other() {
    let origin = Origin::start(|seen| match &*seen.target {
        "/bad" => Answer::new(500, &[], "oh"),
        _ => Answer::ok("fine"),
    });
    let yaml = with_routes(&format!(
        "services: {{ orders: {{ endpoints: [\"{}\"] }} }}\n\
         routes:\n  \
           bad: {{ match: {{ path: /bad }}, breaker: {{ errors: 50%, min_requests: 4, open_for: 1h }}, to: orders }}\n  \
           good: {{ match: {{ path: /good }}, to: orders }}",
        origin.url()
    ));
    let gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    for _ in 0..4 {
        assert_eq!(client.get("/bad").status, 500);
    }
    let refused = |client: &mut lintel_testkit::Client| {
        let reply = client.get("/bad");
        assert_eq!(reply.status, 503);
        assert!(reply.text().contains("breaker_open"), "{reply:?}");
        let rest: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((3_000..=3_600).contains(&rest), "{rest}");
    };
    refused(&mut client);
    assert_eq!(client.get("/good").text(), "fine");
    let metrics = gateway.ask("/metrics").text();
    let state = "lintel_route_breaker_state{route=\"bad\"} 2";
    assert!(metrics.contains(state), "{metrics}");
    assert!(!metrics.contains("lintel_route_breaker_state{route=\"good\"}"));
    let routes = gateway.ask("/routes").text();
    assert!(routes.contains("\"breaker\":\"open\""), "{routes}");
    // A reload does not close it, and a route without a breaker has no series.
    gateway.write(&yaml.replace("min_requests: 4", "min_requests: 5"));
    gateway.until_logged("the new configuration serves generation=2");
    refused(&mut client);
    gateway.write(&yaml.replace("breaker:", "timeout: 9s, retry:").replace(
        "{ errors: 50%, min_requests: 4, open_for: 1h }",
        "{ attempts: 1 }",
    ));
    gateway.until_logged("the new configuration serves generation=3");
    assert_eq!(client.get("/bad").status, 500);
    let metrics = gateway.ask("/metrics").text();
    assert!(
        !metrics.contains("lintel_route_breaker_state{"),
        "{metrics}"
    );
    assert_eq!(origin.seen().len(), 6);
}

#[test]
fn a_shadow_gets_each_request_once() {
    let first = Origin::saying("fine");
    let second = Origin::start(|_| Answer::new(503, &[], "later"));
    let gateway = Gateway::start(&with_routes(&format!(
        "services:\n  \
           first: {{ endpoints: [\"{}\"] }}\n  \
           second: {{ endpoints: [\"{}\"], eject: off, retry: {{ attempts: 5, on: [503], budget: {{ min: 100/s }} }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: first, mirror: {{ service: second }} }} }}",
        first.url(),
        second.url()
    )));
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(client.get("/x").text(), "fine");
    }
    until("all were mirrored", || {
        let metrics = gateway.ask("/metrics").text();
        let answered = "lintel_mirror_requests_total{route=\"all\",outcome=\"answered\"} 3";
        metrics.contains(answered).then_some(())
    });
    assert_eq!(second.seen().len(), 3);
}

#[test]
fn a_shadow_that_is_balanced_by_a_key_gets_it() {
    let first = Origin::saying("fine");
    let shadows = [Origin::saying("a"), Origin::saying("b")];
    let gateway = Gateway::start(&with_routes(&format!(
        "services:\n  \
           first: {{ endpoints: [\"{}\"] }}\n  \
           second: {{ endpoints: [\"{}\", \"{}\"], balance: {{ hash: {{ key: request.path }} }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: first, mirror: {{ service: second }} }} }}",
        first.url(),
        shadows[0].url(),
        shadows[1].url()
    )));
    let mut client = gateway.client();
    for user in 0..8 {
        for _ in 0..4 {
            client.get(&format!("/{user}"));
        }
    }
    let seen = |shadow: &Origin, user: usize| {
        let target = format!("/{user}");
        let seen = shadow.seen().into_iter();
        seen.filter(|seen| *seen.target == *target).count()
    };
    until("all were mirrored", || {
        let count: usize = shadows.iter().map(|shadow| shadow.seen().len()).sum();
        (count == 32).then_some(())
    });
    for user in 0..8 {
        let counts = (seen(&shadows[0], user), seen(&shadows[1], user));
        assert!(matches!(counts, (4, 0) | (0, 4)), "{user}: {counts:?}");
    }
}

#[test]
fn what_a_client_says_of_its_patience_is_passed_on_shortened() {
    let origin = Origin::start(|seen| match &*seen.target {
        "/silent" => Answer::silence(),
        _ => Answer::ok("in time"),
    });
    let yaml = on_listener(&to_origin(&origin, "timeout: 30s"), "deadline_from: anyone");
    let gateway = Gateway::start(&yaml);
    let mut client = gateway.client();
    let ask = |client: &mut lintel_testkit::Client, target: &str, fields: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n");
        client.send(request).reply()
    };
    let reply = ask(&mut client, "/x", "X-Request-Deadline: 20000\r\n");
    assert_eq!(reply.text(), "in time");
    let told = origin.only();
    let told: u64 = told.header("x-request-deadline").unwrap().parse().unwrap();
    assert!((1..20_000).contains(&told), "{told}");

    let fields = "Content-Type: application/grpc\r\nTE: trailers\r\ngrpc-timeout: 20S\r\n";
    ask(&mut client, "/call", fields);
    let seen = origin.seen();
    let told = seen.last().unwrap().header("grpc-timeout").unwrap();
    let (digits, unit) = told.split_at(told.len() - 1);
    let unit = match unit {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        other => panic!("{other}"),
    };
    let left = Duration::from_nanos(digits.parse::<u64>().unwrap() * unit);
    assert!(
        left < Duration::from_secs(20) && left > Duration::ZERO,
        "{told}"
    );

    let reply = ask(&mut client, "/silent", "X-Request-Deadline: 50\r\n");
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("upstream_timeout"), "{reply:?}");
}

/// Lists endpoints in a file as an operator should: by renaming a new one over it.
fn list(file: &Path, origins: &[&Origin]) {
    let fresh = file.with_extension("new");
    let lines: String = origins
        .iter()
        .map(|origin| format!("- {}\n", origin.url()))
        .collect();
    fs::write(&fresh, lines).unwrap();
    fs::rename(&fresh, file).unwrap();
}

fn discovering(file: &Path) -> String {
    with_routes(&format!(
        "services: {{ orders: {{ discover: {{ file: {{ path: \"{}\" }} }} }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: orders }} }}",
        text(file)
    ))
}

#[test]
fn endpoints_that_come_and_go_cost_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.yaml");
    let origins = ["a", "b", "c"].map(Origin::saying);
    list(&file, &[&origins[0]]);
    let gateway = Gateway::start(&discovering(&file));
    until("the first endpoint is known", || {
        (gateway.get("/load").status == 200).then_some(())
    });
    let load = Load::start(gateway.public());
    for round in 0..6 {
        let (stays, comes) = (&origins[round % 3], &origins[(round + 1) % 3]);
        for listed in [&[stays, comes][..], &[comes]] {
            let before: Vec<_> = listed.iter().map(|one| one.seen().len()).collect();
            list(&file, listed);
            until("each that is listed is asked", || {
                let mut all = listed.iter().zip(&before);
                all.all(|(one, before)| one.seen().len() > *before)
                    .then_some(())
            });
        }
        until("those that are not listed are not asked", || {
            let before = stays.seen().len();
            load.until_answered(20);
            (stays.seen().len() == before).then_some(())
        });
    }
    assert_eq!(load.stop(), [""; 0]);
}

#[test]
fn an_endpoint_that_is_removed_ends_what_it_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.yaml");
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let held = AtomicUsize::new(0);
    let old = Origin::start(move |_| {
        if held.fetch_add(1, SeqCst) == 0 {
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        Answer::ok("old")
    });
    let new = Origin::saying("new");
    list(&file, &[&old]);
    let gateway = Gateway::start(&discovering(&file));
    let mut waiting = gateway.client();
    waiting.request("GET", "/x");
    old.until_seen(1);
    list(&file, &[&new]);
    until("the new endpoint alone is asked", || {
        let mut client = gateway.client();
        (0..4)
            .all(|_| client.get("/x").text() == "new")
            .then_some(())
    });
    release.send(()).unwrap();
    let reply = waiting.reply();
    assert_eq!((reply.status, &*reply.text()), (200, "old"));
    // The connection that it came by is not kept.
    let shown = gateway.ask("/services/orders").text();
    assert!(!shown.contains(&old.url()), "{shown}");
}
