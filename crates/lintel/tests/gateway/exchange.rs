//! Tokens that are exchanged at a server of others' making, while it is fast, slow, broken or away.

use std::thread;

use lintel_testkit::{Client, Origin, Reply, until};

use crate::support::{Authority, Gateway, Peer, key_pair, with_routes};

/// A server that tells good tokens from bad ones, one that exchanges them, and an upstream.
struct Scene {
    authority: Authority,
    knower: Peer,
    provider: Peer,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        let authority = Authority::new();
        let (cert, key) = authority.issue("localhost");
        Self {
            knower: Peer::start("authorization_server.py", &[]),
            provider: Peer::start("provider.py", &[&cert, &key]),
            origin: Origin::saying("found"),
            authority,
        }
    }

    fn configuration(&self, client: &str, more: &str) -> String {
        let (url, ca) = (self.origin.url(), self.authority.ca());
        let (knower, provider) = (self.knower.port(), self.provider.port());
        with_routes(&format!(
            "services:\n  origin: {{ endpoints: [\"{url}\"] }}\n\
             \x20 auth: {{ endpoints: [\"http://127.0.0.1:{knower}\"] }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    timeout: 60s\n\
             \x20   policies:\n      access_log: {{ format: json, to: stdout }}\n\
             \x20     oauth2_introspection:\n\
             \x20       service: auth\n        path: /oauth2/introspect\n        timeout: 60s\n\
             \x20       client: {{ id: gate way, secret: \"s3cr&t:\" }}\n        keep_token: true\n\
             \x20     token_exchange:\n        provider: https://localhost:{provider}\n\
             \x20       client_id: shop\n        {client}\n        audience: [orders]\n\
             \x20       timeout: 30s\n        fetch: {{ ca: {ca}, timeout: 60s }}\n        {more}\n"
        ))
    }

    fn gateway(&self, more: &str) -> Gateway {
        let gateway = Gateway::start(&self.configuration(SECRET, more));
        // What is not known of the server yet is no token's fault.
        until("the server's metadata are known", || {
            gateway
                .ask("/issuers")
                .text()
                .contains("\"kid\":\"one\"")
                .then_some(())
        });
        gateway
    }

    fn order(&mut self, line: &str) {
        assert_eq!(self.provider.order(line), "done");
    }

    fn asked(&mut self, what: &str) -> usize {
        let said = self.provider.order(&format!("asked {what}"));
        said.strip_prefix("asked ").unwrap().parse().unwrap()
    }

    /// What the upstream was shown last.
    fn shown(&self) -> Option<String> {
        let seen = self.origin.seen().pop().unwrap();
        seen.header("authorization").map(str::to_owned)
    }
}

const SECRET: &str = "client_secret: s3cret/+";

fn request(token: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n")
}

fn ask(client: &mut Client, token: &str) -> Reply {
    client.send(request(token)).reply()
}

#[test]
fn a_token_is_exchanged_once_and_never_goes_on_itself() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("");
    for _ in 0..8 {
        assert_eq!(ask(&mut gateway.client(), "active-ada").status, 200);
        assert_eq!(scene.shown().unwrap(), "Bearer ada-for-orders-1");
    }
    assert_eq!(ask(&mut gateway.client(), "active-eve").status, 200);
    assert_eq!(scene.shown().unwrap(), "Bearer eve-for-orders-2");
    assert_eq!(ask(&mut gateway.client(), "made-up").status, 401);
    assert_eq!(scene.asked("token_exchange"), 2);
    let metrics = gateway.ask("/metrics").text();
    let line = metrics.lines().find(|line| {
        line.starts_with("lintel_token_requests_total")
            && line.contains("token_exchange")
            && line.contains("granted")
    });
    assert!(line.unwrap().ends_with(" 2"), "{line:?}");
    for shown in [gateway.stdout(), gateway.log()] {
        assert!(!shown.contains("active-ada") && !shown.contains("for-orders"));
        assert!(!shown.contains("s3cret"));
    }
    // Before a token ends, the next one is asked for.
    scene.order("life 2");
    assert_eq!(ask(&mut gateway.client(), "active-bob").status, 200);
    let first = scene.shown().unwrap();
    until("another token is used", || {
        assert_eq!(ask(&mut gateway.client(), "active-bob").status, 200);
        (scene.shown().unwrap() != first).then_some(())
    });
}

#[test]
fn what_the_server_refuses_is_forbidden_and_its_outage_is_not_the_callers_fault() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("");
    assert_eq!(ask(&mut gateway.client(), "active-known").status, 200);
    for how in ["away", "garbage", "huge"] {
        scene.order(&format!("break {how}"));
        let reply = ask(&mut gateway.client(), &format!("active-{how}"));
        assert_eq!(reply.status, 503, "{how}");
        assert!(reply.text().contains("token_exchange_unavailable"), "{how}");
        assert!(reply.header("retry-after").is_some(), "{how}");
        assert_eq!(
            ask(&mut gateway.client(), "active-known").status,
            200,
            "{how}"
        );
    }
    scene.order("break nothing");
    // It is asked again after a while, and not for each request.
    until("the token is exchanged", || {
        let reply = ask(&mut gateway.client(), "active-away");
        (reply.status == 200).then_some(())
    });
    let forbidden = scene
        .configuration(SECRET, "")
        .replace("[orders]", "[forbidden]");
    gateway.write(&forbidden);
    assert!(gateway.reload().status.success());
    let reply = ask(&mut gateway.client(), "active-ada");
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("token_exchange_refused"));
    until("the log says why", || {
        gateway.stdout().contains("invalid_target").then_some(())
    });

    scene.order("break away");
    gateway.write(&scene.configuration(SECRET, "on_failure: allow"));
    assert!(gateway.reload().status.success());
    assert_eq!(ask(&mut gateway.client(), "active-nobody").status, 200);
    assert_eq!(scene.shown(), None);
    // A gateway that is refused itself is no caller's fault either.
    scene.order("break nothing");
    gateway.write(&scene.configuration("client_secret: wrong", ""));
    assert!(gateway.reload().status.success());
    assert_eq!(ask(&mut gateway.client(), "active-ada").status, 503);
}

#[test]
fn an_exchange_outlives_who_asked_first_and_a_reload() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("");
    scene.order("hold");
    let address = gateway.public();
    let mut first = gateway.client();
    first.send(request("active-ada"));
    until("the server is asked", || {
        (scene.asked("anything") == 1).then_some(())
    });
    let others: Vec<_> = (0..20)
        .map(|_| thread::spawn(move || ask(&mut Client::connect(address), "active-ada").status))
        .collect();
    drop(first);
    // The configuration changes under those who wait.
    let changed = scene
        .configuration(SECRET, "")
        .replace("timeout: 60s\n", "timeout: 50s\n");
    gateway.write(&changed);
    assert!(gateway.reload().status.success());
    let late = thread::spawn(move || ask(&mut Client::connect(address), "active-ada").status);
    scene.order("release");
    for other in others.into_iter().chain([late]) {
        assert_eq!(other.join().unwrap(), 200);
    }
    assert_eq!(scene.asked("token_exchange"), 1);
    assert_eq!(scene.origin.seen().len(), 21);
    gateway.until_requests_have_ended();
    assert!(!gateway.logs("panicked"));
}

/// The same with requests that wait for another server: none is lost by a reload, or by who leaves.
#[test]
fn requests_that_wait_for_introspection_live_through_a_reload() {
    let mut scene = Scene::new();
    let gateway = scene.gateway("");
    scene.knower.order("sleep 1");
    let address = gateway.public();
    let waiting: Vec<_> = (0..8)
        .map(|at| {
            let token = format!("active-{at}");
            thread::spawn(move || ask(&mut Client::connect(address), &token).status)
        })
        .collect();
    let mut leaving = gateway.client();
    leaving.send(request("active-gone"));
    until("all are asked about", || {
        (scene.knower.order("asked") == "asked 9").then_some(())
    });
    drop(leaving);
    let other = scene
        .configuration(SECRET, "")
        .replace("/oauth2/introspect", "/oauth2/elsewhere");
    gateway.write(&other);
    assert!(gateway.reload().status.success());
    for one in waiting {
        assert_eq!(
            one.join().unwrap(),
            200,
            "by the configuration that it came under"
        );
    }
    gateway.until_requests_have_ended();
    assert!(!gateway.logs("panicked"));
}

#[test]
fn a_key_proves_who_the_gateway_is() {
    let mut scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let [key, public] = key_pair(folder.path());
    scene.order(&format!("trust {public}"));
    let by_key = format!("client_key: {{ pem: \"${{file.{key}}}\", id: key-1 }}");
    let gateway = Gateway::start(&scene.configuration(&by_key, ""));
    until("the token is exchanged", || {
        (ask(&mut gateway.client(), "active-ada").status == 200).then_some(())
    });
    assert_eq!(ask(&mut gateway.client(), "active-eve").status, 200);
    assert!(scene.shown().unwrap().starts_with("Bearer eve-for-orders-"));
    // The secret is worth nothing there any more.
    let other = Gateway::start(&scene.configuration(SECRET, ""));
    assert_eq!(ask(&mut other.client(), "active-ada").status, 503);
}
