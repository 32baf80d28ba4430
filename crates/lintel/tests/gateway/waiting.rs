//! Requests that wait for what somebody else says of them, while the configuration changes and clients
//! leave.

use std::sync::{Arc, Condvar, Mutex};

use lintel_testkit::{Answer, Client, Origin, until};

use crate::support::{Gateway, with_routes};

/// Whoever asks waits before it until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (open, opened) = &*self.0;
        drop(
            opened
                .wait_while(open.lock().unwrap(), |open| !*open)
                .unwrap(),
        );
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl Drop for Gate {
    /// Nobody waits for a test that has failed.
    fn drop(&mut self) {
        self.open();
    }
}

/// A policy that asks, and what its service answers.
struct Case {
    policies: &'static str,
    answer: &'static str,
}

const ACTIVE: &str = r#"{"active": true, "sub": "ada"}"#;

const CASES: [Case; 3] = [
    Case {
        policies: "ext_authz: { service: asked, timeout: 60s, http: { path: /check } }",
        answer: "",
    },
    Case {
        policies: "oauth2_introspection: { service: asked, timeout: 60s, path: /introspect, \
                   client: { id: gateway, secret: s3cret } }",
        answer: ACTIVE,
    },
    Case {
        policies: "oauth2_introspection: { service: knower, path: /introspect, keep_token: true, \
                   client: { id: gateway, secret: s3cret } }, \
                   token_exchange: { endpoint: \"ASKED/token\", client_id: gateway, client_secret: s3cret, \
                   audience: [orders], timeout: 60s, fetch: { timeout: 60s } }",
        answer: r#"{"access_token": "for-orders", "token_type": "Bearer", "expires_in": 600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}"#,
    },
];

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

const COUNT: usize = 8;

/// A service that says nothing yet, an upstream, and requests that wait between them.
struct Scene {
    // First: nobody waits behind it while the others are dropped.
    gate: Gate,
    asked: Origin,
    _knower: Origin,
    origin: Origin,
    gateway: Gateway,
    clients: Vec<Client>,
}

impl Case {
    fn begin(&self) -> Scene {
        let (gate, answer) = (Gate::default(), self.answer);
        let inner = Gate(Arc::clone(&gate.0));
        let asked = Origin::start(move |_| {
            inner.pass();
            Answer::new(200, &JSON, answer)
        });
        let knower = Origin::start(|_| Answer::new(200, &JSON, ACTIVE));
        let origin = Origin::saying("old");
        let (url, asked_url, knower_url) = (origin.url(), asked.url(), knower.url());
        let policies = self.policies.replace("ASKED", &asked_url);
        let gateway = Gateway::start_unwatched(&with_routes(&format!(
            "services:\n  origin: {{ endpoints: [\"{url}\"] }}\n\
             \x20 asked: {{ endpoints: [\"{asked_url}\"] }}\n\
             \x20 knower: {{ endpoints: [\"{knower_url}\"] }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    timeout: 60s\n\
             \x20   policies: {{ access_log: {{ format: json, to: stdout }}, {policies} }}\n"
        )));
        let clients = (0..COUNT).map(|at| {
            let mut client = gateway.client();
            client.send(format!(
                "GET /{at} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-{at}\r\n\r\n"
            ));
            client
        });
        let clients = clients.collect();
        Scene {
            gate,
            asked,
            _knower: knower,
            origin,
            gateway,
            clients,
        }
    }
}

#[test]
fn a_request_that_waits_ends_by_the_configuration_it_began_with() {
    for case in &CASES {
        let mut scene = case.begin();
        scene.asked.until_seen(COUNT);
        scene.gateway.write(&with_routes(
            "routes: { all: { match: { path: \"/*\" }, to: { respond: { body: new } } } }",
        ));
        assert_eq!(scene.gateway.reload().status.code(), Some(0));
        assert_eq!(scene.gateway.get("/").text(), "new");
        assert_eq!(scene.origin.seen().len(), 0, "{}", case.policies);
        scene.gate.open();
        for client in &mut scene.clients {
            let reply = client.reply();
            let told = (reply.status, reply.text());
            assert_eq!(told, (200, "old".to_owned()), "{}", case.policies);
            // The connection goes on with what serves now.
            assert_eq!(client.get("/").text(), "new");
        }
        assert_eq!(scene.origin.seen().len(), COUNT);
        until("no old generation is held any more", || {
            let status = scene.gateway.ask("/config/status");
            let status: serde_json::Value = serde_json::from_slice(&status.body).unwrap();
            (status["generations_alive"].as_array().unwrap().len() == 1).then_some(())
        });
        assert!(!scene.gateway.logs("panicked"));
    }
}

#[test]
fn a_client_that_leaves_while_its_request_waits_takes_nobody_with_it() {
    for case in &CASES {
        let mut scene = case.begin();
        scene.asked.until_seen(COUNT);
        // Those who asked first are among those who leave.
        let stay = scene.clients.split_off(COUNT / 2);
        scene.clients.clear();
        until("those who left are gone", || {
            let log = scene.gateway.stdout();
            (log.matches("client_gone").count() == COUNT / 2).then_some(())
        });
        scene.gate.open();
        for mut client in stay {
            assert_eq!(client.reply().text(), "old", "{}", case.policies);
        }
        let mut seen: Vec<_> = scene
            .origin
            .seen()
            .into_iter()
            .map(|seen| seen.target)
            .collect();
        seen.sort();
        let stayed: Vec<_> = (COUNT / 2..COUNT).map(|at| format!("/{at}")).collect();
        assert_eq!(seen, stayed, "{}", case.policies);
        assert!(!scene.gateway.logs("panicked"));
    }
}
