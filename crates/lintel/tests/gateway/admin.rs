//! What a running gateway tells about itself.

use lintel_testkit::{Client, Origin, until};
use serde_json::Value;

use crate::support::{Gateway, lintel, to_origin, with_routes};

#[test]
fn metrics_count_requests_and_the_gateways_own_time() {
    let origin = Origin::saying("ok");
    let gateway = Gateway::start(&to_origin(&origin, ""));
    (0..3).for_each(|_| assert_eq!(gateway.get("/x").status, 200));
    let series =
        r#"lintel_requests_total{route="all",service="origin",method="GET",status="200"} 3"#;
    until("three requests are counted", || {
        let page = gateway.ask("/metrics").text();
        page.contains(series).then_some(())
    });
    let page = gateway.ask("/metrics").text();
    assert_eq!(value(&page, "lintel_overhead_seconds_count"), 3.0);
    assert!(value(&page, "lintel_overhead_seconds_sum") > 0.0);
    assert_eq!(value(&page, "lintel_upstream_duration_seconds_count"), 3.0);
}

#[test]
fn the_admin_api_asks_for_its_token_and_never_shows_it() {
    let secret = "a-secret-of-the-operator";
    let yaml = with_routes("").replace(
        "admin: { bind: 127.0.0.1:0",
        "admin: { bind: 127.0.0.1:0, token: \"${env.ADMIN_TOKEN}\"",
    );
    let gateway = Gateway::start_with(&yaml, &[("ADMIN_TOKEN", secret)]);
    let refused = gateway.ask("/config");
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").is_some());
    assert_eq!(
        with_token(&gateway, "/config", "a-secret-of-somebody-els").status,
        401
    );
    for target in ["/config", "/config/status", "/metrics", "/listeners"] {
        let shown = with_token(&gateway, target, secret);
        assert_eq!(shown.status, 200, "{target}");
        assert!(!shown.text().contains(secret), "{target}: {}", shown.text());
    }
    assert_eq!(gateway.ask("/healthz").status, 200);
    assert_eq!(gateway.ask("/readyz").status, 200);
    assert!(!gateway.log().contains(secret));
    let admin = gateway.admin().to_string();
    assert_eq!(
        lintel(&["status", "--admin", &admin]).status.code(),
        Some(1)
    );
    let told = lintel(&["status", "--admin", &admin, "--token", secret]);
    assert_eq!(told.status.code(), Some(0));
}

/// A page that an operator looks at can have the operator's browser ask whatever the machine reaches.
#[test]
fn web_pages_change_nothing_through_the_admin_api() {
    let gateway = Gateway::start(&with_routes(""));
    let ask = |line: &str, fields: &str| {
        let request = format!("{line} HTTP/1.1\r\n{fields}Content-Length: 0\r\n\r\n");
        let mut client = Client::connect(gateway.admin());
        client.send(request).reply().status
    };
    let own = format!("Host: {}\r\n", gateway.admin());
    for (fields, status) in [
        ("", 200),
        ("Sec-Fetch-Site: none\r\n", 200),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
    ] {
        let reload = ask("POST /config/reload", &format!("{own}{fields}"));
        assert_eq!(reload, status, "{fields}");
    }
    // Names that somebody else has pointed here.
    for (host, status) in [
        ("localhost:9901", 200),
        ("admin", 200),
        ("admin.localhost", 200),
        ("[::1]:9901", 200),
        ("10.0.0.7", 200),
        ("evil.example:9901", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        let host = format!("Host: {host}\r\n");
        assert_eq!(ask("GET /config", &host), status, "{host}");
        assert_eq!(ask("GET /healthz", &host), 200, "{host}");
    }
    // Whoever knows a token is no page.
    let yaml = with_routes("").replace(
        "admin: { bind: 127.0.0.1:0",
        "admin: { bind: 127.0.0.1:0, token: a-token-of-the-operator",
    );
    let gateway = Gateway::start(&yaml);
    let request = "POST /config/reload HTTP/1.1\r\nHost: admin.example\r\nOrigin: https://console.example\r\nAuthorization: Bearer a-token-of-the-operator\r\nContent-Length: 0\r\n\r\n";
    let mut client = Client::connect(gateway.admin());
    assert_eq!(client.send(request).reply().status, 200);
}

/// The time that a client has waited for a service is not the gateway's own.
#[test]
fn clients_that_leave_are_no_overhead() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    let origin = Origin::start(move |_| {
        let _ = receiver.lock().unwrap().recv();
        lintel_testkit::Answer::new(200, &[], "late")
    });
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let mut client = gateway.client();
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.until_seen(1);
    drop(client);
    let page = until("the request is counted", || {
        let page = gateway.ask("/metrics").text();
        page.contains("status=\"499\"").then_some(page)
    });
    assert_eq!(value(&page, "lintel_overhead_seconds_count"), 0.0);
    drop(sender);
}

#[test]
fn routes_services_and_listeners_are_shown() {
    let origin = Origin::saying("ok");
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let shown = |target| -> Value { serde_json::from_slice(&gateway.ask(target).body).unwrap() };
    assert_eq!(shown("/routes")["all"]["to"]["service"], "origin");
    let services = shown("/services").to_string();
    assert!(
        services.contains(origin.url().trim_start_matches("http://")),
        "{services}"
    );
    let listeners = shown("/listeners")["public"].to_string();
    assert!(
        listeners.contains(&gateway.public().to_string()),
        "{listeners}"
    );
}

#[test]
fn every_request_is_one_line_of_the_access_log() {
    let gateway = Gateway::start(&with_routes(
        "defaults: { policies: { access_log: { format: json, to: stdout } } }\n\
         routes: { r: { match: { path: / }, to: { respond: { status: 418 } } } }",
    ));
    let mut client = gateway.client();
    client.get("/");
    client.get("/nowhere");
    let lines = until("two lines are written", || {
        let text = gateway.stdout();
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        (lines.len() == 2).then_some(lines)
    });
    assert_eq!(
        (&lines[0]["status"], &lines[0]["route"]),
        (&418.into(), &"r".into())
    );
    assert_eq!(lines[1]["status"], 404);
}

fn with_token(gateway: &Gateway, target: &str, token: &str) -> lintel_testkit::Reply {
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: admin\r\nAuthorization: Bearer {token}\r\n\r\n");
    Client::connect(gateway.admin()).send(request).reply()
}

/// The sum of a sample over its labels.
fn value(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    let values = samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    values.sum()
}
