//! What the pages on balancing, health and draining say, done by a whole gateway.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use lintel_testkit::{Answer, Client, Origin, Reply, until};
use serde_json::Value;

use crate::support::{Gateway, lintel, with_routes};

const BALANCING: &str = include_str!("../../../../docs/balancing.md");
const HEALTH: &str = include_str!("../../../../docs/health.md");
const DRAIN: &str = include_str!("../../../../docs/drain.md");

/// The configuration on a page, with origins in the place of its endpoints.
fn on_page(page: &str, origins: &[&Origin]) -> String {
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (yaml, _) = rest.split_once("```").unwrap();
    let mut yaml = yaml.to_owned();
    for (origin, host) in origins.iter().zip(7..) {
        let endpoint = format!("http://10.0.0.{host}:8080");
        assert!(yaml.contains(&endpoint), "{yaml}");
        yaml = yaml.replace(&endpoint, &origin.url());
    }
    yaml
}

fn service(gateway: &Gateway) -> Value {
    serde_json::from_slice(&gateway.ask("/services/orders").body).unwrap()
}

fn state(gateway: &Gateway, index: usize) -> String {
    service(gateway)["endpoints"][index]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn order(gateway: &Gateway, method: &str, target: &str, body: &str) -> Reply {
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: admin\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Client::connect(gateway.admin()).send(request).reply()
}

fn ask(gateway: &Gateway, count: usize) -> Vec<String> {
    let mut client = gateway.client();
    (0..count).map(|_| client.get("/x").text()).collect()
}

fn count(answers: &[String], text: &str) -> usize {
    answers.iter().filter(|answer| *answer == text).count()
}

#[test]
fn weights_and_priorities_are_kept() {
    let origins = ["7", "8", "9"].map(Origin::saying);
    let gateway = Gateway::start(&on_page(BALANCING, &origins.each_ref()));
    let answers = ask(&gateway, 40);
    assert_eq!((count(&answers, "7"), count(&answers, "8")), (30, 10));
    let shares: Vec<f64> = (0..3)
        .map(|index| {
            service(&gateway)["endpoints"][index]["share"]
                .as_f64()
                .unwrap()
        })
        .collect();
    assert_eq!(shares, [0.75, 0.25, 0.0]);
    let config = gateway.config();
    let explained = lintel(&["explain", config.to_str().unwrap(), "GET", "/x"]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("75% of them now (ready)"), "{explained}");
}

#[test]
fn a_sick_endpoint_goes_and_comes_back() {
    let well = Arc::new(AtomicBool::new(true));
    let checked = Arc::clone(&well);
    let sick = Origin::start(move |seen| {
        if seen.target == "/healthz" && !checked.load(SeqCst) {
            return Answer::new(500, &[], "");
        }
        Answer::ok("7")
    });
    let other = Origin::saying("8");
    let gateway = Gateway::start(&on_page(HEALTH, &[&sick, &other]));
    until("both are checked", || {
        (state(&gateway, 0) == "ready" && state(&gateway, 1) == "ready").then_some(())
    });
    assert_eq!(count(&ask(&gateway, 20), "7"), 10);
    well.store(false, SeqCst);
    until("its checks fail", || {
        (state(&gateway, 0) == "unhealthy: it answered with 500").then_some(())
    });
    // Workers look again with their next request.
    assert_eq!(count(&ask(&gateway, 20), "8"), 20);
    gateway.until_logged("the endpoint is unhealthy: its checks fail");
    let (file, admin) = (gateway.config(), gateway.admin().to_string());
    let file = file.to_str().unwrap();
    let told = lintel(&["explain", file, "GET", "/x", "--admin", &admin]);
    let told = String::from_utf8(told.stdout).unwrap();
    let mut lines = told.lines();
    let sick = lines.find(|line| line.contains("0% of them now (unhealthy: "));
    assert!(
        sick.is_some_and(|line| line.contains(", for ") && line.contains("in flight")),
        "{told}"
    );
    well.store(true, SeqCst);
    until("it is back", || {
        (state(&gateway, 0) == "ready").then_some(())
    });
    assert_eq!(count(&ask(&gateway, 20), "7"), 10);
    let page = gateway.ask("/metrics").text();
    assert!(
        page.contains("lintel_upstream_health_checks_total{service=\"orders\",result=\"failed\"}"),
        "{page}"
    );
}

#[test]
fn an_endpoint_that_errs_is_ejected_and_tried_again() {
    let well = Arc::new(AtomicBool::new(false));
    let served = Arc::clone(&well);
    let sick = Origin::start(move |seen| {
        if seen.target == "/healthz" || served.load(SeqCst) {
            return Answer::ok("7");
        }
        Answer::new(500, &[], "sick")
    });
    let other = Origin::saying("8");
    let yaml = on_page(HEALTH, &[&sick, &other]);
    let gateway = Gateway::start(&yaml);
    until("it is ejected", || {
        ask(&gateway, 4);
        state(&gateway, 0)
            .starts_with("ejected: 3 tries in a row")
            .then_some(())
    });
    // A reload with another setting changes nothing about it.
    gateway.write(&yaml.replace("for: 1s", "for: 2s"));
    gateway.until_logged("the new configuration serves");
    let history = service(&gateway)["endpoints"][0]["history"].to_string();
    assert!(history.contains("ejected for"), "{history}");
    well.store(true, SeqCst);
    until("it is trusted again", || {
        ask(&gateway, 4);
        let history = service(&gateway)["endpoints"][0]["history"].to_string();
        history.contains("trusted again").then_some(())
    });
    let page = gateway.ask("/metrics").text();
    assert!(
        page.contains(
            "lintel_upstream_ejections_total{service=\"orders\",reason=\"consecutive_5xx\"}"
        ),
        "{page}"
    );
}

#[test]
fn an_endpoint_is_drained_and_comes_back() {
    let (first, second) = (Origin::saying("7"), Origin::saying("8"));
    let yaml = on_page(DRAIN, &[&first, &second]);
    let gateway = Gateway::start(&yaml);
    assert_eq!(count(&ask(&gateway, 20), "7"), 10);
    let ids: Vec<String> = (0..2)
        .map(|index| {
            service(&gateway)["endpoints"][index]["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let path =
        |index: usize, what: &str| format!("/services/orders/endpoints/{}/{what}", ids[index]);
    assert_eq!(order(&gateway, "POST", &path(0, "drain"), "").status, 200);
    assert_eq!(count(&ask(&gateway, 20), "8"), 20);
    assert_eq!(order(&gateway, "POST", &path(1, "drain"), "").status, 409);
    assert_eq!(
        order(&gateway, "POST", "/services/orders/endpoints/0/drain", "").status,
        404
    );
    assert_eq!(
        order(&gateway, "PUT", &path(0, "weight"), "many").status,
        400
    );
    // A reload keeps it while the configuration gives the same weight.
    gateway.write(&yaml.replace("routes:", "drain_timeout: 3s\nroutes:"));
    gateway.until_logged("the new configuration serves generation=2");
    assert_eq!(count(&ask(&gateway, 20), "8"), 20);
    assert_eq!(order(&gateway, "PUT", &path(0, "weight"), "3").status, 200);
    assert!((14..=16).contains(&count(&ask(&gateway, 20), "7")));
    assert_eq!(
        order(&gateway, "DELETE", &path(0, "weight"), "").status,
        200
    );
    assert_eq!(count(&ask(&gateway, 20), "7"), 10);
    // An endpoint that the configuration has no more has no series either.
    let series = |origin: &Origin| {
        format!(
            "lintel_upstream_endpoint_healthy{{service=\"orders\",endpoint=\"{}\"}} 1",
            origin.url()
        )
    };
    until("both endpoints have a series", || {
        let page = gateway.ask("/metrics").text();
        (page.contains(&series(&first)) && page.contains(&series(&second))).then_some(())
    });
    gateway.write(&yaml.replace(&format!("\"{}\", ", first.url()), ""));
    gateway.until_logged("the new configuration serves generation=3");
    until("one series is left", || {
        let page = gateway.ask("/metrics").text();
        (!page.contains(&series(&first)) && page.contains(&series(&second))).then_some(())
    });
    // Each of the two workers has had its own, and has kept it.
    assert!(first.connections() <= 2 && second.connections() <= 2);
}

#[test]
fn clients_stay_where_their_cookie_says() {
    let origins = ["a", "b", "c"].map(Origin::saying);
    let urls: Vec<String> = origins
        .iter()
        .map(|origin| format!("\"{}\"", origin.url()))
        .collect();
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ orders: {{ endpoints: [{}], balance: {{ sticky: {{ cookie: at, ttl: 1h }} }} }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: orders }} }}",
        urls.join(", ")
    )));
    let first = gateway.get("/");
    let cookie = first.header("set-cookie").unwrap().to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
    assert!(
        !origins
            .iter()
            .any(|origin| cookie.contains(&origin.url()[7..]))
    );
    for _ in 0..10 {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: other=1; {pair}\r\n\r\n");
        let reply = gateway.client().send(request).reply();
        assert_eq!(reply.text(), first.text());
        assert_eq!(reply.header("set-cookie"), None);
    }
}

#[test]
fn the_same_key_goes_to_the_same_endpoint() {
    let origins = ["a", "b", "c"].map(Origin::saying);
    let urls: Vec<String> = origins
        .iter()
        .map(|origin| format!("\"{}\"", origin.url()))
        .collect();
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ orders: {{ endpoints: [{}], balance: {{ hash: {{ key: 'request.headers[\"x-user\"]' }} }} }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: orders }} }}",
        urls.join(", ")
    )));
    let ask = |user: usize| {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-User: {user}\r\n\r\n");
        gateway.client().send(request).reply().text()
    };
    let homes: Vec<String> = (0..30).map(ask).collect();
    for origin in ["a", "b", "c"] {
        assert!(count(&homes, origin) >= 2, "{homes:?}");
    }
    let again: Vec<String> = (0..30).map(ask).collect();
    assert_eq!(homes, again);
}
