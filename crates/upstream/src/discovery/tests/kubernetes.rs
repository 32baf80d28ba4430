//! Against a fake API server that lists and watches as Kubernetes does, with answers by its
//! documented shape.

use std::{collections::BTreeMap, fs, net::SocketAddr};

use http::header::AUTHORIZATION;
use lintel_tls::{Acceptor, CertificateSource, ClientAuth, ClientCa, ServerSettings, Socket};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, sync::watch, task::JoinSet};

use super::{
    fake::{Fake, Out, Seen},
    *,
};
use crate::{
    discovery::kubernetes::{Access, KubernetesSource, Pod, PortRef},
    service::Addresses,
};

const PATH: &str = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";

/// What the server knows.
#[derive(Clone, Default)]
struct Known {
    version: u64,
    slices: BTreeMap<String, Value>,
    /// What has happened, each at its version.
    events: Vec<(u64, Value)>,
    /// Nothing is known of what happened up to here.
    compacted: u64,
    /// The answer to everything, if it is another.
    refusal: Option<(&'static str, Value)>,
    /// Slices in one answer.
    page: usize,
    /// Watches that began before are to end, and whether in order.
    ended: (u64, bool),
    /// How an expired version is told: by status, or by an event.
    gone_by_status: bool,
}

/// The fake, and the one who changes what it knows.
struct Cluster {
    known: watch::Sender<Known>,
    fake: Fake,
}

/// A slice as the controller of Kubernetes 1.31 writes it.
fn slice(name: &str, addresses: &[&str]) -> Value {
    let endpoint = |address: &&str| {
        json!({
            "addresses": [address],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "nodeName": "worker-1",
            "targetRef": { "kind": "Pod", "name": format!("orders-{address}"), "namespace": "shop",
                           "uid": "0a2d4b31-9a52-4a7e-8f0e-2b7e6a1f0c11" },
            "zone": "eu-1a",
        })
    };
    json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": name, "generateName": "orders-", "namespace": "shop", "generation": 4,
            "uid": "5c0b9d6e-8d1e-4a55-9d55-7d8f4a2b9b1c", "creationTimestamp": "2026-03-01T09:00:00Z",
            "labels": { "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                        "kubernetes.io/service-name": "orders" },
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Service", "name": "orders",
                "uid": "e8c4f3c2-40a0-4c8e-a53c-77a8f0b8b3f1", "controller": true, "blockOwnerDeletion": true }],
        },
        "addressType": "IPv4",
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": [{ "name": "http", "protocol": "TCP", "port": 8080 }],
    })
}

/// How the API says that something did not work.
fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code })
}

fn expired() -> Value {
    status(410, "Expired", "too old resource version: 10 (12)")
}

impl Cluster {
    async fn new() -> Self {
        let (known, receiver) = watch::channel(Known {
            version: 10,
            page: usize::MAX,
            ..Known::default()
        });
        let fake = Fake::start(move |request, out| serve(request, out, receiver.clone())).await;
        Self { known, fake }
    }

    fn change(&self, kind: &str, slice: Value) {
        self.known.send_modify(|known| known.change(kind, slice));
    }

    fn apply(&self, name: &str, addresses: &[&str]) {
        let there = self.known.borrow().slices.contains_key(name);
        self.change(
            if there { "MODIFIED" } else { "ADDED" },
            slice(name, addresses),
        );
    }

    /// Something of no interest has happened.
    fn bookmark(&self) {
        let empty = json!({ "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
                            "metadata": {}, "endpoints": null, "ports": null, "addressType": "" });
        self.change("BOOKMARK", empty);
    }

    fn end_watches(&self, in_order: bool) {
        self.known
            .send_modify(|known| known.ended = (known.ended.0 + 1, in_order));
    }

    fn refuse(&self, refusal: Option<(&'static str, Value)>) {
        self.known.send_modify(|known| known.refusal = refusal);
    }

    /// In a folder of the kubeconfig's own: kubectl proxy.
    fn kubeconfig(&self, folder: &Path) -> Access {
        let path = folder.join("config");
        let server = format!("http://127.0.0.1:{}", self.fake.server().port);
        write_config(&path, json!({ "server": server }), json!({}));
        Access::Kubeconfig {
            path,
            context: None,
        }
    }

    fn follow(&self) -> (Followed, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let followed = follow(source(self.kubeconfig(folder.path())));
        (followed, folder)
    }

    /// Requests of one kind: watches, or lists.
    fn seen(&self, watches: bool) -> Vec<Seen> {
        let all = self.fake.seen().into_iter();
        all.filter(|seen| seen.parameter("watch").is_some() == watches)
            .collect()
    }

    async fn watches(&self, number: usize) -> Seen {
        until(&format!("watch {number}"), || {
            self.seen(true).len() >= number
        })
        .await;
        self.seen(true).swap_remove(number - 1)
    }
}

impl Known {
    fn change(&mut self, kind: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match kind {
            "BOOKMARK" => {}
            "DELETED" => drop(self.slices.remove(&name)),
            _ => drop(self.slices.insert(name, object.clone())),
        }
        let event = json!({ "type": kind, "object": object });
        self.events.push((self.version, event));
    }
}

async fn serve(request: Seen, mut out: Out, mut known: watch::Receiver<Known>) -> Out {
    let now = known.borrow().clone();
    let begun = now.ended.0;
    let selector = "kubernetes%2Eio%2Fservice%2Dname%3Dorders";
    assert!(
        request.line.starts_with(&format!("GET {PATH}?")),
        "{}",
        request.line
    );
    assert_eq!(request.parameter("labelSelector"), Some(selector));
    if let Some((status, body)) = &now.refusal {
        out.answer(status, "", &body.to_string()).await;
        return out;
    }
    if request.parameter("watch").is_none() {
        out.answer("200 OK", "", &list(&request, &now).to_string())
            .await;
        return out;
    }
    let mut seen: u64 = request
        .parameter("resourceVersion")
        .unwrap()
        .parse()
        .unwrap();
    let gone = seen < now.compacted;
    if gone && now.gone_by_status {
        out.answer("410 Gone", "", &expired().to_string()).await;
        return out;
    }
    out.begin().await;
    if gone {
        out.line(&json!({ "type": "ERROR", "object": expired() }).to_string())
            .await;
        out.end().await;
        return out;
    }
    loop {
        let now = known.borrow_and_update().clone();
        for (version, event) in &now.events {
            if *version > seen {
                out.line(&event.to_string()).await;
                seen = *version;
            }
        }
        if now.ended.0 > begun {
            match now.ended.1 {
                true => out.end().await,
                false => out.cut().await,
            }
            return out;
        }
        if known.changed().await.is_err() {
            return out;
        }
    }
}

fn list(request: &Seen, known: &Known) -> Value {
    let from: usize = request
        .parameter("continue")
        .map_or(0, |token| token.parse().unwrap());
    let items: Vec<&Value> = known.slices.values().skip(from).take(known.page).collect();
    let mut metadata = json!({ "resourceVersion": known.version.to_string() });
    let next = from.saturating_add(known.page);
    if next < known.slices.len() {
        metadata["continue"] = next.to_string().into();
        metadata["remainingItemCount"] = (known.slices.len() - next).into();
    }
    json!({ "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
            "metadata": metadata, "items": items })
}

fn write_config(path: &Path, cluster: Value, user: Value) {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "lintel" } }],
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": "lintel", "user": user }],
    });
    fs::write(path, config.to_string()).unwrap();
}

fn source(access: Access) -> Kind {
    Kind::Kubernetes(KubernetesSource {
        access,
        namespace: Some("shop".into()),
        service: "orders".into(),
        port: None,
        addresses: Addresses::Auto,
    })
}

#[tokio::test]
async fn slices_are_listed_and_then_watched() {
    let cluster = Cluster::new().await;
    cluster.apply("orders-a", &["10.1.0.1", "10.1.0.2"]);
    let (followed, _folder) = cluster.follow();
    followed
        .becomes(&[("10.1.0.1:8080", 1), ("10.1.0.2:8080", 1)])
        .await;
    let kept = followed.at("10.1.0.1:8080");
    let first = cluster.watches(1).await;
    assert_eq!(first.parameter("resourceVersion"), Some("11"));
    assert_eq!(first.parameter("allowWatchBookmarks"), Some("true"));
    let limit: u64 = first.parameter("timeoutSeconds").unwrap().parse().unwrap();
    assert!((300..600).contains(&limit), "{limit}");

    cluster.apply("orders-b", &["10.1.0.3"]);
    followed
        .becomes(&[
            ("10.1.0.1:8080", 1),
            ("10.1.0.2:8080", 1),
            ("10.1.0.3:8080", 1),
        ])
        .await;
    // One moves from slice to slice: gone from one, and then in the other.
    cluster.apply("orders-b", &[]);
    cluster.apply("orders-a", &["10.1.0.1", "10.1.0.3"]);
    followed
        .becomes(&[("10.1.0.1:8080", 1), ("10.1.0.3:8080", 1)])
        .await;
    cluster.change("DELETED", slice("orders-b", &[]));
    cluster.apply("orders-a", &["10.1.0.1"]);
    followed.becomes(&[("10.1.0.1:8080", 1)]).await;
    assert!(Arc::ptr_eq(&kept, &followed.at("10.1.0.1:8080")));
    assert_eq!(
        (cluster.seen(false).len(), cluster.seen(true).len()),
        (1, 1)
    );
    let status = followed.status();
    assert_eq!(status.source, "kubernetes shop/orders");
    assert!(status.failing.is_none() && status.last_success.is_some());
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let cluster = Cluster::new().await;
    cluster.known.send_modify(|known| known.page = 2);
    for at in 1..=5 {
        cluster.apply(&format!("orders-{at}"), &[&format!("10.1.0.{at}")]);
    }
    let (followed, _folder) = cluster.follow();
    until("all of them", || followed.endpoints().len() == 5).await;
    let tokens = cluster.seen(false);
    let tokens: Vec<_> = tokens
        .iter()
        .map(|seen| seen.parameter("continue"))
        .collect();
    assert_eq!(tokens, [None, Some("2"), Some("4")]);
}

#[tokio::test]
async fn a_watch_that_ends_or_breaks_goes_on_where_it_stopped() {
    let cluster = Cluster::new().await;
    cluster.apply("orders-a", &["10.1.0.1"]);
    let (followed, _folder) = cluster.follow();
    for (round, in_order) in [(1, true), (2, false), (3, true)] {
        cluster.watches(round).await;
        // Known by the bookmark alone: nothing of the service has changed.
        cluster.bookmark();
        let version = cluster.known.borrow().version.to_string();
        cluster.end_watches(in_order);
        let next = cluster.watches(round + 1).await;
        assert_eq!(next.parameter("resourceVersion"), Some(&*version));
    }
    cluster.apply("orders-a", &["10.1.0.2"]);
    followed.becomes(&[("10.1.0.2:8080", 1)]).await;
    assert_eq!(cluster.seen(false).len(), 1, "listed once");
    assert!(followed.status().failing.is_none());
}

#[tokio::test]
async fn what_happened_while_a_version_expired_is_listed() {
    for gone_by_status in [true, false] {
        let cluster = Cluster::new().await;
        cluster.apply("orders-a", &["10.1.0.1"]);
        let (followed, _folder) = cluster.follow();
        cluster.watches(1).await;
        cluster.known.send_modify(|known| {
            // Missed: the watch is cut before it is told.
            known.change("MODIFIED", slice("orders-a", &["10.1.0.2"]));
            known.events.clear();
            known.compacted = known.version;
            known.gone_by_status = gone_by_status;
            known.ended = (1, false);
        });
        followed.becomes(&[("10.1.0.2:8080", 1)]).await;
        assert_eq!(cluster.seen(false).len(), 2, "listed anew");
        assert!(followed.status().failing.is_none());
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_what_to_do_and_the_last_good_set_stays() {
    let forbidden = "endpointslices.discovery.k8s.io is forbidden: User \"system:serviceaccount:edge:lintel\" \
                     cannot list resource \"endpointslices\" in API group \"discovery.k8s.io\" in the namespace \"shop\"";
    let mut cases = JoinSet::new();
    for (line, body, told) in [
        (
            "401 Unauthorized",
            status(401, "Unauthorized", "Unauthorized"),
            "does not take the user `lintel` of context `test`",
        ),
        (
            "403 Forbidden",
            status(403, "Forbidden", forbidden),
            "a Role must allow `list` and `watch` of `endpointslices`",
        ),
        (
            "404 Not Found",
            json!("404 page not found"),
            "is this its API server?",
        ),
        (
            "500 Internal Server Error",
            status(500, "InternalError", "etcdserver: request timed out"),
            "etcdserver: request timed out",
        ),
        (
            "200 OK",
            json!({ "kind": "EndpointSliceList", "items": [] }),
            "is this Kubernetes?",
        ),
        ("200 OK", json!("<html>"), "the answer can't be read"),
        (
            "200 OK",
            json!({ "metadata": { "resourceVersion": "1" }, "items": [{ "metadata": {} }] }),
            "the answer can't be read",
        ),
    ] {
        cases.spawn(async move {
            let cluster = Cluster::new().await;
            cluster.apply("orders-a", &["10.1.0.1"]);
            let (followed, _folder) = cluster.follow();
            cluster.watches(1).await;
            cluster.refuse(Some((line, body)));
            cluster.end_watches(false);
            followed.fails_with(told).await;
            assert_eq!(followed.endpoints(), [("10.1.0.1:8080".to_owned(), 1)]);
            cluster.refuse(None);
            cluster.apply("orders-a", &["10.1.0.2"]);
            followed.becomes(&[("10.1.0.2:8080", 1)]).await;
            assert!(followed.status().failing.is_none());
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

#[tokio::test]
async fn news_that_can_not_be_read_leaves_the_last_good_set() {
    for event in [
        json!({ "type": "MODIFIED", "object": { "metadata": { "name": "orders-a" }, "addressType": "IPX" } }),
        json!({ "type": "WHATEVER", "object": {} }),
        json!("garbage"),
        json!({ "type": "ERROR", "object": status(500, "InternalError", "storage is away") }),
    ] {
        let cluster = Cluster::new().await;
        cluster.apply("orders-a", &["10.1.0.1"]);
        let (followed, _folder) = cluster.follow();
        cluster.watches(1).await;
        cluster.known.send_modify(|known| {
            known.version += 1;
            known.events.push((known.version, event.clone()));
        });
        // Listed again: what is there now is no garbage.
        until("another list", || cluster.seen(false).len() == 2).await;
        assert_eq!(followed.endpoints(), [("10.1.0.1:8080".to_owned(), 1)]);
    }
}

#[tokio::test]
async fn an_empty_set_is_believed_only_if_it_may_be() {
    for allow_empty in [false, true] {
        let cluster = Cluster::new().await;
        cluster.apply("orders-a", &["10.1.0.1"]);
        let folder = tempfile::tempdir().unwrap();
        let followed = follow_spec(spec(Discover {
            allow_empty,
            ..discover(source(cluster.kubeconfig(folder.path())))
        }));
        followed.becomes(&[("10.1.0.1:8080", 1)]).await;
        cluster.apply("orders-a", &[]);
        if allow_empty {
            followed.becomes(&[]).await;
        } else {
            until("a note", || !followed.status().notes.is_empty()).await;
            assert_eq!(followed.endpoints(), [("10.1.0.1:8080".to_owned(), 1)]);
        }
        cluster.apply("orders-a", &["10.1.0.2"]);
        followed.becomes(&[("10.1.0.2:8080", 1)]).await;
    }
}

#[tokio::test]
async fn outside_of_a_pod_and_without_a_token_it_is_told_what_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let pod = |server| {
        let account = folder.path().to_owned();
        source(Access::Pod(Pod { server, account }))
    };
    follow(pod(None))
        .fails_with("KUBERNETES_SERVICE_HOST is not set")
        .await;
    let server = Some(("127.0.0.1".into(), 1));
    follow(pod(server))
        .fails_with("automountServiceAccountToken")
        .await;
}

/// A CA with a server certificate for 127.0.0.1 and a client certificate, in a folder.
fn certificates(folder: &Path) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    fs::write(
        folder.join("ca.crt"),
        ca.self_signed(&ca_key).unwrap().pem(),
    )
    .unwrap();
    let issuer = Issuer::new(ca, ca_key);
    for name in ["127.0.0.1", "lintel"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// TLS before the fake; how many clients have shown a certificate.
async fn secured(
    cluster: &Cluster,
    folder: &Path,
) -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    certificates(folder);
    let acceptor = Acceptor::build(&ServerSettings {
        certificates: vec![CertificateSource {
            cert: folder.join("127.0.0.1.pem"),
            key: folder.join("127.0.0.1.key"),
            ocsp: None,
        }],
        client_auth: ClientAuth::Optional(ClientCa {
            ca: folder.join("ca.crt"),
            crl: None,
        }),
        ..ServerSettings::default()
    });
    let acceptor = Arc::new(acceptor.unwrap_or_else(|errors| panic!("{errors:?}")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = SocketAddr::from(([127, 0, 0, 1], cluster.fake.server().port));
    let known = Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = Arc::clone(&known);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, counted) = (Arc::clone(&acceptor), Arc::clone(&counted));
            tokio::spawn(async move {
                let mut secure = acceptor.accept(Socket::Tcp(socket)).await.unwrap();
                if secure.peer_certificate().is_some() {
                    counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                let mut plain = TcpStream::connect(behind).await.unwrap();
                let _ = copy_bidirectional(&mut secure, &mut plain).await;
            });
        }
    });
    (address, known)
}

#[tokio::test]
async fn a_pod_shows_its_token_as_it_is_at_the_time() {
    let cluster = Cluster::new().await;
    cluster.apply("orders-a", &["10.1.0.1"]);
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = secured(&cluster, folder.path()).await;
    fs::write(folder.path().join("token"), "first\n").unwrap();
    fs::write(folder.path().join("namespace"), "shop").unwrap();
    let followed = follow(Kind::Kubernetes(KubernetesSource {
        access: Access::Pod(Pod {
            server: Some(("127.0.0.1".into(), address.port())),
            account: folder.path().to_owned(),
        }),
        // The pod's own.
        namespace: None,
        service: "orders".into(),
        port: Some(PortRef::Name("http".into())),
        addresses: Addresses::Auto,
    }));
    followed.becomes(&[("10.1.0.1:8080", 1)]).await;
    let first = cluster.watches(1).await;
    assert_eq!(first.field(AUTHORIZATION.as_str()), Some("Bearer first"));
    fs::write(folder.path().join("token"), "second\n").unwrap();
    cluster.bookmark();
    cluster.end_watches(true);
    let second = cluster.watches(2).await;
    assert_eq!(second.field(AUTHORIZATION.as_str()), Some("Bearer second"));
    assert!(!format!("{:?}", followed.status()).contains("second"));
}

#[tokio::test]
async fn a_kubeconfig_with_everything_in_it_shows_its_certificate() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let cluster = Cluster::new().await;
    cluster.apply("orders-a", &["10.1.0.1"]);
    let folder = tempfile::tempdir().unwrap();
    let (address, known) = secured(&cluster, folder.path()).await;
    let data = |name: &str| STANDARD.encode(fs::read(folder.path().join(name)).unwrap());
    let path = folder.path().join("config");
    let server = format!("https://{address}");
    write_config(
        &path,
        json!({ "server": server, "certificate-authority-data": data("ca.crt") }),
        json!({ "client-certificate-data": data("lintel.pem"), "client-key-data": data("lintel.key") }),
    );
    let context = None;
    let followed = follow(source(Access::Kubeconfig { path, context }));
    followed.becomes(&[("10.1.0.1:8080", 1)]).await;
    assert!(known.load(std::sync::atomic::Ordering::Relaxed) > 0);
    // Somebody else's CA does not do.
    let other = tempfile::tempdir().unwrap();
    certificates(other.path());
    let path = other.path().join("config");
    let ca = json!({ "server": server, "certificate-authority": "ca.crt" });
    write_config(&path, ca, json!({}));
    let stranger = follow(source(Access::Kubeconfig {
        path,
        context: None,
    }));
    stranger.fails_with("TLS").await;
    assert_eq!(stranger.endpoints(), []);
}
