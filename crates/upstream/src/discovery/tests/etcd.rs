//! Against the real server (Debian's etcd-server), and a fake for what it does too rarely.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lintel_kernel::Secret;
use serde_json::json;

use super::{fake::Fake, *};
use crate::client::Server;

/// A running server, with its own folder and ports.
struct Etcd {
    folder: tempfile::TempDir,
    ports: [u16; 2],
    process: Child,
}

fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

fn launch(folder: &Path, ports: [u16; 2]) -> Child {
    let [client, peer] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    Command::new("etcd")
        .args(["--name", "test", "--log-level", "error", "--data-dir"])
        .arg(folder)
        .args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ])
        .args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ])
        .args(["--initial-cluster", &format!("test={peer}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("etcd is not installed (Debian: etcd-server)")
}

impl Etcd {
    async fn start() -> Self {
        // Somebody may take a port between here and there: then another try finds others.
        for _ in 0..5 {
            let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
            let ports = free.map(|listener| listener.local_addr().unwrap().port());
            let folder = tempfile::tempdir().unwrap();
            let process = launch(folder.path(), ports);
            let mut etcd = Self {
                folder,
                ports,
                process,
            };
            if etcd.serves().await {
                return etcd;
            }
        }
        panic!("etcd does not start");
    }

    async fn serves(&mut self) -> bool {
        while self.process.try_wait().unwrap().is_none() {
            if let Ok(mut connection) = self.server().connect().await
                && let Ok(answer) = connection
                    .post("/v3/kv/range", &json!({ "key": b64("x") }))
                    .await
                && answer.status == 200
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.process = launch(self.folder.path(), self.ports);
        assert!(self.serves().await);
    }

    fn server(&self) -> Server {
        Server {
            host: "127.0.0.1".into(),
            port: self.ports[0],
            tls: None,
        }
    }

    async fn post(&self, target: &str, body: Value) -> Value {
        let mut connection = self.server().connect().await.unwrap();
        connection
            .post(target, &body)
            .await
            .unwrap()
            .json()
            .unwrap()
    }

    async fn put(&self, key: &str, value: &str) {
        let body = json!({ "key": b64(key), "value": b64(value) });
        self.post("/v3/kv/put", body).await;
    }

    fn kind(&self) -> Kind {
        Kind::Etcd(EtcdSource {
            servers: vec![self.server()],
            prefix: "/orders/".into(),
            user: None,
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn keys_under_the_prefix_are_followed() {
    let etcd = Etcd::start().await;
    etcd.put("/orders/a", r#""10.0.0.1:80""#).await;
    etcd.put("/orders0", r#""10.9.9.9:80""#).await;
    let followed = follow(etcd.kind());
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    let kept = followed.at("10.0.0.1:80");
    etcd.put("/orders/b", "10.0.0.2:80*3").await;
    followed
        .becomes(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 3)])
        .await;
    assert!(Arc::ptr_eq(&kept, &followed.at("10.0.0.1:80")));
    // One bad value does not keep the others from being used.
    etcd.put("/orders/c", "0.0.0.0:80").await;
    until("a note", || !followed.status().notes.is_empty()).await;
    etcd.post("/v3/kv/deleterange", json!({ "key": b64("/orders/a") }))
        .await;
    followed.becomes(&[("10.0.0.2:80", 1)]).await;
}

#[tokio::test]
async fn a_lease_that_ends_takes_its_endpoint_away() {
    let etcd = Etcd::start().await;
    etcd.put("/orders/a", "10.0.0.1:80").await;
    // Long, so that the test sees the endpoint however slow it is; expiry is a revocation by the
    // server itself.
    let granted = etcd.post("/v3/lease/grant", json!({ "TTL": "600" })).await;
    let body =
        json!({ "key": b64("/orders/b"), "value": b64("10.0.0.2:80"), "lease": granted["ID"] });
    etcd.post("/v3/kv/put", body).await;
    let followed = follow(etcd.kind());
    followed
        .becomes(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])
        .await;
    etcd.post("/v3/lease/revoke", json!({ "ID": granted["ID"] }))
        .await;
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
}

#[tokio::test]
async fn a_server_that_goes_away_and_comes_back_changes_nothing_meanwhile() {
    let mut etcd = Etcd::start().await;
    etcd.put("/orders/a", "10.0.0.1:80").await;
    let followed = follow(etcd.kind());
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    etcd.stop();
    followed.fails_with("refused").await;
    assert_eq!(followed.endpoints(), [("10.0.0.1:80".to_owned(), 1)]);
    etcd.restart().await;
    etcd.put("/orders/b", "10.0.0.2:80").await;
    followed
        .becomes(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])
        .await;
}

#[tokio::test]
async fn a_user_identifies_itself() {
    let etcd = Etcd::start().await;
    etcd.put("/orders/a", "10.0.0.1:80").await;
    for (target, body) in [
        (
            "/v3/auth/user/add",
            json!({ "name": "root", "password": "hunter2" }),
        ),
        ("/v3/auth/role/add", json!({ "name": "root" })),
        (
            "/v3/auth/user/grant",
            json!({ "user": "root", "role": "root" }),
        ),
        ("/v3/auth/enable", json!({})),
    ] {
        etcd.post(target, body).await;
    }
    let nobody = follow(etcd.kind());
    nobody.fails_with("status 400").await;
    let as_root = |password: &str| {
        Kind::Etcd(EtcdSource {
            servers: vec![etcd.server()],
            prefix: "/orders/".into(),
            user: Some(("root".into(), Secret::new(password))),
        })
    };
    let wrong = follow(as_root("wrong"));
    let error = wrong.fails_with("user `root` is refused").await;
    assert!(!error.error.contains("wrong"), "{error:?}");
    follow(as_root("hunter2"))
        .becomes(&[("10.0.0.1:80", 1)])
        .await;
}

#[tokio::test]
async fn a_compacted_revision_is_listed_again() {
    let fake = Fake::start(|request, mut out| async move {
        if request.line.contains("/v3/kv/range") {
            let body = json!({
                "header": { "cluster_id": "1", "member_id": "2", "revision": "5", "raft_term": "2" },
                "kvs": [{ "key": b64("/orders/a"), "create_revision": "4", "mod_revision": "4",
                          "version": "1", "value": b64("10.0.0.1:80") }],
                "count": "1",
            });
            out.answer("200 OK", "", &body.to_string()).await;
        } else {
            assert!(request.body.contains(r#""start_revision":"6""#), "{}", request.body);
            out.begin().await;
            out.line(r#"{"result":{"header":{"revision":"9"},"created":true}}"#).await;
            out.line(
                r#"{"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"8",
                "cancel_reason":"etcdserver: mvcc: required revision has been compacted"}}"#
                    .replace('\n', "")
                    .as_str(),
            )
            .await;
            out.end().await;
        }
        out
    })
    .await;
    let followed = follow(Kind::Etcd(EtcdSource {
        servers: vec![fake.server()],
        prefix: "/orders/".into(),
        user: None,
    }));
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    let lists = || {
        fake.seen()
            .iter()
            .filter(|seen| seen.line.contains("range"))
            .count()
    };
    until("listed again", || lists() >= 2).await;
    assert!(followed.status().failing.is_none());
}
