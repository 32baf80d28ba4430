//! Tokens that an authorization server is asked about: fast, slow, broken and changing its mind.

use std::thread;

use lintel_testkit::{Client, Origin, Reply, until};

use crate::support::{Gateway, Peer, with_routes};

/// An authorization server, an upstream, and what stands between them.
struct Scene {
    server: Peer,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        Self {
            server: Peer::start("authorization_server.py", &[]),
            origin: Origin::saying("found"),
        }
    }

    /// A gateway of one worker: what it knows, another one has to be told again.
    fn gateway(&self, more: &str) -> Gateway {
        Gateway::start(&self.configuration(more, ""))
    }

    fn configuration(&self, more: &str, route: &str) -> String {
        let (url, port) = (self.origin.url(), self.server.port());
        let text = with_routes(&format!(
            "services:\n  origin: {{ endpoints: [\"{url}\"] }}\n\
             \x20 auth: {{ endpoints: [\"http://127.0.0.1:{port}\"], retry: {{ attempts: 1 }} }}\n\
             consumers: {{ mobile: {{ jwt: {{ subjects: [app] }} }} }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    {route}\n\
             \x20   policies:\n      access_log: {{ format: json, to: stdout }}\n      authorize: {{ scopes: [read], consumers: [mobile] }}\n\
             \x20     oauth2_introspection:\n\
             \x20       service: auth\n        path: /oauth2/introspect\n\
             \x20       client: {{ id: gate way, secret: \"s3cr&t:\" }}\n\
             \x20       audience: [api]\n        issuer: https://auth.example.com/\n\
             \x20       consumer_claim: client_id\n        forward: {{ X-User: claims.sub }}\n\
             \x20       {more}"
        ));
        text.replace("workers: 2", "workers: 1")
    }

    fn asked(&mut self) -> usize {
        let said = self.server.order("asked");
        said.strip_prefix("asked ").unwrap().parse().unwrap()
    }
}

fn ask(client: &mut Client, token: &str) -> Reply {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    client.send(request).reply()
}

fn until_counted(gateway: &Gateway, outcome: &str, count: usize) {
    let line = format!(
        r#"lintel_introspection_requests_total{{route="all",outcome="{outcome}"}} {count}"#
    );
    until(&line, || {
        let metrics = gateway.ask("/metrics").text();
        metrics.lines().any(|own| own == line).then_some(())
    });
}

const PATIENT: &str = "timeout: 60s";

#[test]
fn a_token_is_asked_about_once_and_its_bearer_is_known() {
    let mut scene = Scene::new();
    let gateway = scene.gateway(PATIENT);
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "active-ada").status, 200);
        let bad = ask(&mut client, "stolen");
        assert_eq!(bad.status, 401);
        let challenge = bad.header("www-authenticate").unwrap();
        assert_eq!(challenge, r#"Bearer realm="api", error="invalid_token""#);
    }
    assert_eq!(scene.asked(), 2);
    for seen in scene.origin.seen() {
        assert_eq!(seen.header("x-user"), Some("ada"));
        assert_eq!(seen.header("authorization"), None);
    }
    for (outcome, count) in [
        ("active", 1),
        ("inactive", 1),
        ("cached_active", 2),
        ("cached_inactive", 2),
    ] {
        until_counted(&gateway, outcome, count);
    }
    until("the access log says why", || {
        gateway.stdout().contains("token_inactive").then_some(())
    });
    for shown in [gateway.stdout(), gateway.log()] {
        assert!(!shown.contains("s3cr&t") && !shown.contains("active-ada"));
        assert!(!shown.contains("stolen"));
    }
}

/// Whoever tries tokens is held off, however they are judged.
#[test]
fn tokens_that_are_not_active_count_as_failures() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("timeout: 60s\n      failed_auth: { attempts: 2, ban: 1h }");
    let mut client = gateway.client();
    // A server in trouble says nothing of the token.
    scene.server.order("answer error");
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "active-ada").status, 503);
    }
    scene.server.order("answer well");
    let tried = ["stolen", "stolen", "active-ada"];
    let told = tried.map(|token| ask(&mut client, token).status);
    assert_eq!(told, [401, 401, 429]);
}

#[test]
fn requests_that_come_together_cause_one_question() {
    let mut scene = Scene::new();
    let gateway = scene.gateway(PATIENT);
    scene.server.order("sleep 1");
    let address = gateway.public();
    // Who asked first leaves, and the others get their answer.
    let mut first = gateway.client();
    first.send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer active-ada\r\n\r\n");
    until("the server is asked", || (scene.asked() == 1).then_some(()));
    let others: Vec<_> = (0..20)
        .map(|_| thread::spawn(move || ask(&mut Client::connect(address), "active-ada").status))
        .collect();
    drop(first);
    for other in others {
        assert_eq!(other.join().unwrap(), 200);
    }
    assert_eq!(scene.asked(), 1);
    assert_eq!(scene.origin.seen().len(), 20);
}

#[test]
fn a_server_in_trouble_is_never_the_callers_fault() {
    let mut scene = Scene::new();
    let gateway = scene.gateway(PATIENT);
    let mut client = gateway.client();
    assert_eq!(ask(&mut client, "active-known").status, 200);
    let troubles = ["garbage", "huge", "unsure", "error", "reset", "unwell"];
    for how in troubles {
        scene.server.order(&format!("answer {how}"));
        let reply = ask(&mut client, "active-ada");
        assert_eq!(reply.status, 503, "{how}");
        assert!(reply.text().contains("introspection_unavailable"), "{how}");
        assert!(reply.header("retry-after").is_some(), "{how}");
        assert!(reply.header("www-authenticate").is_none(), "{how}");
        // Who was known before still is.
        assert_eq!(ask(&mut client, "active-known").status, 200, "{how}");
    }
    until_counted(&gateway, "error", troubles.len());
    // Nothing of it was remembered.
    scene.server.order("answer well");
    assert_eq!(ask(&mut client, "active-ada").status, 200);
    assert_eq!(scene.origin.seen().len(), troubles.len() + 2);
    assert!(!gateway.logs("panicked"));
}

#[test]
fn a_slow_server_holds_nobody_longer_than_it_may() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("timeout: 50ms");
    scene.server.order("sleep 5");
    let mut client = gateway.client();
    assert_eq!(ask(&mut client, "active-ada").status, 503);
    until_counted(&gateway, "timeout", 1);
    assert!(scene.origin.seen().is_empty());
}

#[test]
fn a_revoked_token_passes_no_longer_than_its_answer_holds() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("timeout: 60s\n        cache: { ttl: 0s, negative_ttl: 1h }");
    let mut client = gateway.client();
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "active-ada").status, 200);
    }
    assert_eq!(scene.asked(), 2);
    scene.server.order("revoke active-ada");
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "active-ada").status, 401);
    }
    assert_eq!(scene.asked(), 3);
}

#[test]
fn what_is_known_of_tokens_lives_through_a_reload() {
    let mut scene = Scene::new();
    let gateway = scene.gateway(PATIENT);
    assert_eq!(ask(&mut gateway.client(), "active-ada").status, 200);
    gateway.write(&scene.configuration(PATIENT, "timeout: 20s"));
    assert!(gateway.reload().status.success());
    assert_eq!(ask(&mut gateway.client(), "active-ada").status, 200);
    assert_eq!(scene.asked(), 1);
    // Other rules: what was found by the old ones is not believed.
    gateway.write(&scene.configuration("timeout: 60s\n        required: [email]", ""));
    assert!(gateway.reload().status.success());
    assert_eq!(ask(&mut gateway.client(), "active-ada").status, 401);
    assert_eq!(scene.asked(), 2);
}

/// What the gateway itself was told holds against what the server says, also of what it has said before.
#[test]
fn a_token_that_is_revoked_here_is_not_believed() {
    let mut scene = Scene::new();
    let plain = scene.configuration(PATIENT, "");
    let gateway = Gateway::start(&plain);
    assert_eq!(ask(&mut gateway.client(), "active-ada").status, 200);
    gateway.write(&format!(
        "{plain}\nrevocations: {{ entries: [{{ sub: ada, before: 9999999999 }}] }}"
    ));
    assert!(gateway.reload().status.success());
    assert_eq!(ask(&mut gateway.client(), "active-ada").status, 401);
    assert_eq!(ask(&mut gateway.client(), "active-eve").status, 200);
    assert_eq!(scene.asked(), 2);
}
