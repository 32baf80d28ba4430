//! Keys of issuers that others wrote: rotation under load, outages, and what is no key set.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use lintel_testkit::{Client, Origin, Reply, until};
use serde_json::Value;

use crate::support::{Authority, Gateway, Peer, with_routes};

/// An issuer with its CA, and a gateway that believes it.
struct Scene {
    authority: Authority,
    issuer: Peer,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        let authority = Authority::new();
        let (cert, key) = authority.issue("localhost");
        let name = "https://localhost:{port}";
        Self {
            issuer: Peer::start("issuer.py", &[&cert, &key, name]),
            authority,
            origin: Origin::saying("found"),
        }
    }

    fn add(&mut self, kid: &str, algorithm: &str) {
        assert_eq!(
            self.issuer.order(&format!("add {kid} {algorithm}")),
            format!("added {kid}")
        );
    }

    fn token(&mut self, kid: &str) -> String {
        let said = self.issuer.order(&format!("token {kid} ada"));
        said.strip_prefix("token ").unwrap().to_owned()
    }

    fn answer(&mut self, how: &str) {
        self.issuer.order(&format!("answer {how}"));
    }

    fn asked(&mut self) -> usize {
        let said = self.issuer.order("asked");
        said.strip_prefix("asked ").unwrap().parse().unwrap()
    }

    /// A gateway that finds the keys by discovery.
    fn gateway(&self, fetch: &str) -> Gateway {
        Gateway::start(&self.configuration(fetch))
    }

    fn configuration(&self, fetch: &str) -> String {
        let (url, port, ca) = (self.origin.url(), self.issuer.port(), self.authority.ca());
        with_routes(&format!(
            "services: {{ origin: {{ endpoints: [\"{url}\"] }} }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    policies:\n\
             \x20     jwt:\n        discovery: https://localhost:{port}\n        audience: [api]\n\
             \x20       algorithms: [RS256, PS256, ES256, ES384, EdDSA]\n\
             \x20       forward: {{ X-User: claims.sub }}\n\
             \x20       fetch: {{ ca: {ca}, {fetch} }}"
        ))
    }
}

fn ask(gateway: &Gateway, token: &str) -> Reply {
    with_token(&mut gateway.client(), token)
}

fn with_token(client: &mut Client, token: &str) -> Reply {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    client.send(request).reply()
}

fn issuer(gateway: &Gateway) -> Value {
    let shown: Value = serde_json::from_slice(&gateway.ask("/issuers").body).unwrap();
    shown[0].clone()
}

/// A name that no key has: each is another one.
fn made_up(token: &str, number: usize) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = format!(r#"{{"alg":"RS256","kid":"made-up-{number}"}}"#);
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

#[test]
fn tokens_of_another_library_are_believed() {
    let mut scene = Scene::new();
    let algorithms = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
    for algorithm in algorithms {
        scene.add(algorithm, algorithm);
    }
    let gateway = scene.gateway("timeout: 60s, wait: 60s");
    for algorithm in algorithms {
        let token = scene.token(algorithm);
        assert_eq!(ask(&gateway, &token).status, 200, "{algorithm}");
        let seen = scene.origin.seen().pop().unwrap();
        assert_eq!(seen.header("x-user"), Some("ada"));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{signed}.{other}{}", &signature[1..]);
        assert_eq!(ask(&gateway, &forged).status, 401, "{algorithm}");
    }
    let keys = issuer(&gateway)["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 5, "{keys}");
    assert_eq!(scene.asked(), 1);
}

#[test]
fn keys_rotate_under_load_and_no_answer_is_wrong() {
    let mut scene = Scene::new();
    scene.add("first", "ES256");
    let gateway = scene.gateway("timeout: 60s, wait: 60s, cooldown: 1ms");
    let token = Arc::new(Mutex::new(scene.token("first")));
    assert_eq!(ask(&gateway, &token.lock().unwrap()).status, 200);
    let (answered, ended) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let address = gateway.public();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (token, answered, ended) = (token.clone(), answered.clone(), ended.clone());
            thread::spawn(move || {
                let mut client = Client::connect(address);
                while !ended.load(SeqCst) {
                    let now = token.lock().unwrap().clone();
                    let reply = with_token(&mut client, &now);
                    assert_eq!(reply.status, 200, "{reply:?}");
                    if reply.header("connection") == Some("close") {
                        client = Client::connect(address);
                    }
                    answered.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    let more = || {
        assert!(
            !clients.iter().any(JoinHandle::is_finished),
            "a client has failed"
        );
        let goal = answered.load(SeqCst) + 50;
        until("requests are answered", || {
            (answered.load(SeqCst) >= goal).then_some(())
        });
    };
    let mut old = "first".to_owned();
    for (round, algorithm) in ["EdDSA", "RS256", "ES256"].into_iter().enumerate() {
        more();
        let new = format!("round-{round}");
        // Published and used at once, as issuers do that do not wait.
        scene.add(&new, algorithm);
        let gone = scene.token(&old);
        *token.lock().unwrap() = scene.token(&new);
        more();
        assert_eq!(
            ask(&gateway, &gone).status,
            200,
            "the old key is still published"
        );
        scene.issuer.order(&format!("remove {old}"));
        // Somebody's unknown key brings the news; then the old one's tokens are refused at once.
        until("the old key is gone", || {
            let unknown = made_up(&gone, answered.load(SeqCst));
            assert_eq!(ask(&gateway, &unknown).status, 401);
            let keys = issuer(&gateway)["keys"].to_string();
            (!keys.contains(&old)).then_some(())
        });
        // Whoever connects may come to either worker.
        for _ in 0..8 {
            assert_eq!(
                ask(&gateway, &gone).status,
                401,
                "{old} was believed before"
            );
        }
        old = new;
    }
    ended.store(true, SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    assert!(!gateway.logs("panicked"));
}

#[test]
fn an_operator_has_a_leaked_key_forgotten_at_once() {
    let mut scene = Scene::new();
    scene.add("leaked", "ES256");
    scene.add("good", "EdDSA");
    let gateway = scene.gateway("timeout: 60s, wait: 60s, cooldown: 1h");
    let (leaked, good) = (scene.token("leaked"), scene.token("good"));
    for _ in 0..8 {
        assert_eq!(ask(&gateway, &leaked).status, 200);
    }
    scene.issuer.order("remove leaked");
    let mut admin = Client::connect(gateway.admin());
    let shown = admin
        .request_with("POST", "/issuers/refresh", b"")
        .reply()
        .text();
    assert!(
        shown.contains("good") && !shown.contains("leaked"),
        "{shown}"
    );
    for _ in 0..8 {
        assert_eq!(ask(&gateway, &leaked).status, 401);
        assert_eq!(ask(&gateway, &good).status, 200);
    }
}

#[test]
fn made_up_keys_cause_no_storm() {
    let mut scene = Scene::new();
    scene.add("good", "RS256");
    let gateway = scene.gateway("timeout: 60s, wait: 60s, cooldown: 1h");
    let token = scene.token("good");
    assert_eq!(ask(&gateway, &token).status, 200);
    for number in 0..200 {
        let reply = ask(&gateway, &made_up(&token, number));
        assert_eq!(reply.status, 401);
        assert!(reply.text().contains("invalid_token"));
    }
    assert_eq!(ask(&gateway, &token).status, 200);
    assert_eq!(scene.asked(), 1);
}

#[test]
fn an_issuer_that_fails_costs_nobody_anything() {
    let mut scene = Scene::new();
    scene.add("good", "ES256");
    let gateway = scene.gateway("timeout: 500ms, wait: 10ms, cooldown: 1ms");
    let token = scene.token("good");
    until("there are keys", || {
        (ask(&gateway, &token).status == 200).then_some(())
    });
    for (how, words) in [
        ("error", "broken"),
        ("garbage", "no JSON"),
        ("html", "no JSON"),
        ("huge", "more than"),
        ("empty", "it is empty"),
        ("slow", "no whole answer"),
    ] {
        scene.answer(how);
        let mut number = 0;
        until(&format!("the gateway notices `{how}`"), || {
            number += 1;
            assert_eq!(ask(&gateway, &made_up(&token, number)).status, 401);
            assert_eq!(ask(&gateway, &token).status, 200, "{how}");
            let failing = issuer(&gateway)["last_error"].to_string();
            failing.contains(words).then_some(())
        });
    }
    let metrics = gateway.ask("/metrics").text();
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("lintel_keys_failing{") && line.ends_with(" 1"))
    );
    scene.answer("good");
    scene.add("next", "EdDSA");
    let next = scene.token("next");
    until("the new key is known", || {
        (ask(&gateway, &next).status == 200).then_some(())
    });
    assert_eq!(issuer(&gateway)["last_error"], Value::Null);
}

#[test]
fn without_keys_it_is_not_the_callers_fault() {
    let mut scene = Scene::new();
    scene.add("good", "ES256");
    scene.answer("error");
    let gateway = scene.gateway("timeout: 60s, wait: 10ms, cooldown: 1ms");
    let token = scene.token("good");
    let reply = ask(&gateway, &token);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.text().contains("keys_unavailable"));
    assert!(reply.header("retry-after").is_some());
    assert_eq!(
        gateway.get("/").status,
        401,
        "who brings no token is told so"
    );
    scene.answer("good");
    until("keys are there", || {
        (ask(&gateway, &token).status == 200).then_some(())
    });
}

#[test]
fn a_reload_carries_the_keys_over() {
    let mut scene = Scene::new();
    scene.add("good", "ES256");
    let fetch = "timeout: 60s, wait: 60s, cooldown: 1h";
    let gateway = scene.gateway(fetch);
    let token = scene.token("good");
    assert_eq!(ask(&gateway, &token).status, 200);
    scene.answer("error");
    gateway.write(&format!(
        "{}\n  other: {{ match: {{ path: /other }}, to: {{ respond: {{ status: 204 }} }} }}\n",
        scene.configuration(fetch).trim_end()
    ));
    until("the new configuration serves", || {
        (gateway.get("/other").status == 204).then_some(())
    });
    assert_eq!(ask(&gateway, &token).status, 200);
    assert_eq!(scene.asked(), 1);
}

#[test]
fn a_certificate_of_another_authority_is_not_believed() {
    let mut scene = Scene::new();
    scene.add("good", "ES256");
    let token = scene.token("good");
    let stranger = Authority::new();
    let yaml = scene.configuration("timeout: 60s, wait: 60s");
    let gateway = Gateway::start(&yaml.replace(&scene.authority.ca(), &stranger.ca()));
    until("the handshake fails", || {
        let failing = issuer(&gateway)["last_error"].to_string();
        failing.contains("TLS").then_some(())
    });
    assert_eq!(ask(&gateway, &token).status, 503);
    assert_eq!(scene.asked(), 0);
}
