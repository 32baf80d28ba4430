//! Services that are asked whether a request may pass: the same answers as Envoy gives with them.

use lintel_testkit::{Answer, Client, Origin, Reply, Seen, until};
use serde_json::{Value, json};

use crate::support::{Gateway, Peer, with_routes};

/// What the service says of requests over gRPC; what each means is in `authz_server.py`.
const CASES: [&str; 31] = [
    "plain",
    "empty",
    "ok",
    "set",
    "append",
    "append_to_nothing",
    "not_append",
    "remove",
    "query_set",
    "query_remove",
    "answer_append",
    "answer_set",
    "answer_add",
    "answer_add_if_absent",
    "answer_overwrite",
    "answer_overwrite_existing",
    "deny",
    "deny_body",
    "deny_401",
    "deny_redirect",
    "deny_429",
    "deny_twice",
    "deny_cookies",
    "deny_type",
    "set_twice",
    "set_and_append",
    "append_twice",
    "set_and_remove",
    "host",
    "answer_cookies",
    "query_both",
];

/// A check service, an upstream that is to be protected, and a gateway before it.
struct Scene {
    checks: Peer,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        Self {
            checks: Peer::start("authz_server.py", &[]),
            origin: Origin::start(|_| Answer::new(200, &[("X-Answer", "own")], "found")),
        }
    }

    fn http_port(&self) -> String {
        self.checks.said("http ")
    }

    fn gateway(&self, policy: &str) -> Gateway {
        Gateway::start(&self.configuration(policy, ""))
    }

    fn configuration(&self, policy: &str, more: &str) -> String {
        let (url, grpc, http) = (self.origin.url(), self.checks.port(), self.http_port());
        with_routes(&format!(
            "services:\n  origin: {{ endpoints: [\"{url}\"] }}\n\
             \x20 grpc: {{ endpoints: [\"http://127.0.0.1:{grpc}\"], protocol: grpc }}\n\
             \x20 http: {{ endpoints: [\"http://127.0.0.1:{http}\"] }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    {more}\n\
             \x20   policies:\n      ext_authz: {{ {policy} }}"
        ))
    }

    fn envoy(&self, kind: &str) -> Peer {
        let check = match kind {
            "grpc" => self.checks.port().to_string(),
            _ => self.http_port(),
        };
        let (_, upstream) = self.origin.url().rsplit_once(':').map(owned).unwrap();
        Peer::start("envoy_proxy.py", &[kind, &check, &upstream])
    }

    fn asked(&mut self) -> usize {
        let said = self.checks.order("asked");
        said.strip_prefix("asked ").unwrap().parse().unwrap()
    }

    fn seen(&mut self) -> Value {
        serde_json::from_str(&self.checks.order("seen")).unwrap()
    }
}

/// Waits until a metric has a value: a request is counted when its answer has left.
fn until_counted(gateway: &Gateway, line: &str) {
    until(line, || {
        let metrics = gateway.ask("/metrics").text();
        metrics.lines().any(|own| own == line).then_some(())
    });
}

fn change(gateway: &Gateway, yaml: &str) {
    gateway.write(yaml);
    let reloaded = gateway.reload();
    assert!(reloaded.status.success(), "{reloaded:?}");
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

fn ask(client: &mut Client, target: &str) -> Reply {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: api.example.com\r\nX-User: root\r\nX-Secret: s\r\n\
         X-Tag: a\r\nAuthorization: Bearer t\r\n\r\n"
    );
    client.send(request).reply()
}

/// What must be the same behind both proxies: the answer, and what the upstream saw.
fn outcome(origin: &Origin, client: &mut Client, case: &str) -> Value {
    let before = origin.seen().len();
    let reply = ask(client, &format!("/case/{case}?a=1&b=2"));
    let names = [
        "x-answer",
        "x-absent",
        "location",
        "www-authenticate",
        "retry-after",
        "set-cookie",
        "x-why",
        "content-type",
    ];
    let mut fields: Vec<_> = names
        .map(|name| reply.fields.all(name).collect::<Vec<_>>().join(","))
        .into();
    let seen = origin.seen();
    let upstream = seen.get(before).map(|seen: &Seen| {
        let names = ["x-user", "x-new", "x-tag", "x-other", "x-secret", "host"];
        let fields = names.map(|name| seen.fields.all(name).collect::<Vec<_>>().join(","));
        json!({ "target": seen.target, "fields": fields })
    });
    // Where the service has nothing to show, the gateway has problem details and Envoy nothing.
    let shown = reply.header("content-type") != Some("application/problem+json");
    let body = if shown {
        reply.text()
    } else {
        fields.pop();
        fields.push(String::new());
        String::new()
    };
    json!({ "status": reply.status, "fields": fields, "body": body, "upstream": upstream })
}

#[test]
fn the_answers_over_grpc_are_those_of_envoy() {
    let scene = Scene::new();
    let gateway = scene.gateway("service: grpc, grpc: {}, timeout: 60s, status_on_error: 403");
    let envoy = scene.envoy("grpc");
    let mut ours = gateway.client();
    let mut theirs = Client::connect(([127, 0, 0, 1], envoy.port()).into());
    for case in CASES.iter().chain(&["rpc_error", "garbage"]) {
        let own = outcome(&scene.origin, &mut ours, case);
        let other = outcome(&scene.origin, &mut theirs, case);
        assert_eq!(own, other, "{case}: the gateway's is left, Envoy's right");
    }
}

/// Envoy leaves out what a denial appends; a client should not miss a cookie for that.
#[test]
fn what_a_denial_appends_is_told() {
    let scene = Scene::new();
    let gateway = scene.gateway("service: grpc, grpc: {}, timeout: 60s");
    let reply = ask(&mut gateway.client(), "/case/deny_cookies_appended");
    let cookies: Vec<_> = reply.fields.all("set-cookie").collect();
    assert_eq!((reply.status, cookies), (403, vec!["a=1", "b=2"]));
}

#[test]
fn the_answers_over_http_are_those_of_envoy() {
    let scene = Scene::new();
    let gateway = scene.gateway(
        "service: http, timeout: 60s, status_on_error: 403, upstream_headers: [X-User],\
         http: { path_prefix: /check, success_headers: [Set-Cookie] }",
    );
    let envoy = scene.envoy("http");
    let mut ours = gateway.client();
    let mut theirs = Client::connect(([127, 0, 0, 1], envoy.port()).into());
    for case in ["allow", "deny", "deny_401", "redirect", "broken"] {
        let own = outcome(&scene.origin, &mut ours, case);
        let other = outcome(&scene.origin, &mut theirs, case);
        assert_eq!(own, other, "{case}: the gateway's is left, Envoy's right");
    }
}

#[test]
fn the_service_is_told_the_request() {
    let mut scene = Scene::new();
    let gateway = scene.gateway(
        "service: grpc, grpc: { context: { route: route.name } }, timeout: 60s,\
         upstream_headers: [X-User], body: { max: 1KiB }",
    );
    let body = "{\"a\":1}";
    let request = format!(
        "POST /case/plain?q=1 HTTP/1.1\r\nHost: api.example.com\r\nX-A: 1\r\nX-A: 2\r\n\
         X_User: root\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(gateway.client().send(&request).reply().status, 200);
    assert_eq!(scene.origin.only().body, body.as_bytes());
    let seen = scene.seen();
    for (key, value) in [
        ("method", json!("POST")),
        ("path", json!("/case/plain?q=1")),
        ("host", json!("api.example.com")),
        ("scheme", json!("http")),
        ("protocol", json!("HTTP/1.1")),
        ("size", json!(7)),
        ("body", json!(body)),
        ("source", json!("127.0.0.1")),
        ("context", json!({ "route": "all" })),
    ] {
        assert_eq!(seen[key], value, "{key}");
    }
    assert_eq!(seen["headers"]["x-a"], "1,2");
    assert_eq!(seen["headers"][":path"], "/case/plain?q=1");
    assert_eq!(seen["headers"]["x_user"], Value::Null);
    assert!(scene.origin.only().header("x_user").is_none());
}

#[test]
fn a_body_may_be_so_large() {
    let mut scene = Scene::new();
    for (larger, status, asked) in [("refuse", 413, 0), ("cut", 200, 1)] {
        let gateway = scene.gateway(&format!(
            "service: http, timeout: 60s, body: {{ max: 4B, larger: {larger} }},\
             http: {{ path_prefix: / }}"
        ));
        let before = scene.asked();
        // Neither a length nor the first piece says how large it is.
        let mut client = gateway.client();
        client.send(
            "POST /case/allow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        );
        let reply = client.send("3\r\ndef\r\n0\r\n\r\n").reply();
        assert_eq!(reply.status, status, "{larger}");
        assert_eq!(scene.asked() - before, asked, "{larger}");
    }
    assert_eq!(scene.seen()["body"], "abcd");
    assert_eq!(scene.origin.only().body, b"abcdef");
}

#[test]
fn what_gives_no_answer_is_counted_and_decided_by_the_rule() {
    let mut scene = Scene::new();
    let plain = "service: http, http: { path_prefix: / }";
    let deny = scene.gateway(&format!("{plain}, timeout: 60s"));
    let allow = scene.gateway(&format!("{plain}, timeout: 60s, on_failure: allow"));
    for case in ["broken", "huge"] {
        let target = format!("/case/{case}");
        let reply = ask(&mut deny.client(), &target);
        assert_eq!(reply.status, 503, "{case}");
        assert!(reply.text().contains("authorization_unavailable"));
        assert_eq!(ask(&mut allow.client(), &target).status, 200, "{case}");
    }
    until_counted(
        &deny,
        r#"lintel_ext_authz_requests_total{route="all",outcome="error"} 2"#,
    );
    until_counted(
        &allow,
        r#"lintel_ext_authz_requests_total{route="all",outcome="error"} 2"#,
    );
    assert_eq!(scene.origin.seen().len(), 2);
    // Slower than it may be.
    scene.checks.order("sleep 30");
    let hasty = scene.gateway(&format!("{plain}, timeout: 50ms"));
    assert_eq!(ask(&mut hasty.client(), "/case/allow").status, 503);
    until_counted(
        &hasty,
        r#"lintel_ext_authz_requests_total{route="all",outcome="timeout"} 1"#,
    );
    assert_eq!(scene.origin.seen().len(), 2);
}

#[test]
fn what_was_said_is_remembered_until_a_reload_changes_the_rule() {
    let mut scene = Scene::new();
    let policy = |by: &str| {
        format!(
            "service: http, http: {{ path_prefix: / }}, timeout: 60s,\
             upstream_headers: [X-User], cache: {{ by: [request.path{by}], ttl: 1h }}"
        )
    };
    // One worker: what it was told, another one need not know.
    let one = |text: String| text.replace("workers: 2", "workers: 1");
    let gateway = Gateway::start(&one(scene.configuration(&policy(""), "")));
    for (case, status) in [("allow", 200), ("deny", 403), ("allow", 200), ("deny", 403)] {
        let reply = ask(&mut gateway.client(), &format!("/case/{case}"));
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.text(),
            if status == 200 { "found" } else { "go away" }
        );
    }
    assert_eq!(scene.asked(), 2);
    let seen = scene.origin.seen();
    assert!(seen.iter().all(|seen| seen.header("x-user") == Some("ada")));
    // Another part of the configuration changes: it is still known.
    change(
        &gateway,
        &one(scene.configuration(&policy(""), "timeout: 20s")),
    );
    assert_eq!(ask(&mut gateway.client(), "/case/allow").status, 200);
    assert_eq!(scene.asked(), 2);
    change(
        &gateway,
        &one(scene.configuration(&policy(", request.method"), "")),
    );
    assert_eq!(ask(&mut gateway.client(), "/case/allow").status, 200);
    assert_eq!(scene.asked(), 3);
}

#[test]
fn a_client_that_leaves_while_the_service_is_asked_harms_nobody() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("service: grpc, grpc: {}, timeout: 60s");
    scene.checks.order("sleep 1");
    let mut leaves = gateway.client();
    leaves.send("GET /case/plain HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the service is asked", || {
        (scene.asked() == 1).then_some(())
    });
    drop(leaves);
    assert_eq!(ask(&mut gateway.client(), "/case/plain").status, 200);
    assert_eq!(scene.origin.seen().len(), 1);
    assert!(!gateway.logs("panicked"));
}
