#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;

use lintel_tls::Roots;
use serde_json::{Value, json};

use super::{access::Opened, slices::Slices, *};
use crate::{discovery::Entries, service::Scheme};

fn source(port: Option<PortRef>, addresses: Addresses) -> KubernetesSource {
    KubernetesSource {
        access: Access::Pod(Pod::of_environment()),
        namespace: None,
        service: "orders".into(),
        port,
        addresses,
    }
}

fn slice(name: &str, kind: &str, endpoints: Value, ports: Value) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "shop", "generation": 3, "resourceVersion": "7" },
        "addressType": kind, "endpoints": endpoints, "ports": ports,
    })
}

/// The port of most slices.
fn http() -> Value {
    json!([{ "name": "http", "protocol": "TCP", "port": 8080, "appProtocol": "http" }])
}

fn pod(address: &str, conditions: Value) -> Value {
    json!({ "addresses": [address], "conditions": conditions, "nodeName": "node-1",
            "targetRef": { "kind": "Pod", "namespace": "shop", "name": "orders-5d8f" } })
}

fn ready(address: &str) -> Value {
    pod(
        address,
        json!({ "ready": true, "serving": true, "terminating": false }),
    )
}

fn entries(slices: &[Value], source: &KubernetesSource) -> Entries {
    let mut all = Slices::default();
    for slice in slices {
        all.put(serde_json::from_value(slice.clone()).unwrap());
    }
    all.entries(source, Scheme::Http)
}

/// Addresses found, sorted, then why others can't be used.
fn shown(slices: &[Value], port: Option<PortRef>, addresses: Addresses) -> Vec<String> {
    let Entries { found, unusable } = entries(slices, &source(port, addresses));
    let found = found
        .iter()
        .map(|one| one.spec.to_string().replace("http://", ""));
    let mut all: Vec<String> = found.collect();
    all.sort();
    all.extend(unusable);
    all
}

fn one(endpoints: Value) -> Vec<String> {
    shown(
        &[slice("orders-a", "IPv4", endpoints, http())],
        None,
        Addresses::Auto,
    )
}

#[test]
fn ready_endpoints_count_and_those_that_leave_only_if_there_is_none() {
    let leaving = pod(
        "10.1.0.3",
        json!({ "ready": false, "serving": true, "terminating": true }),
    );
    let starting = pod(
        "10.1.0.4",
        json!({ "ready": false, "serving": false, "terminating": false }),
    );
    let gone = pod(
        "10.1.0.5",
        json!({ "ready": false, "serving": false, "terminating": true }),
    );
    // A pod that fails its probe and is not on its way out gets nothing, whatever `serving` says.
    let failing = pod(
        "10.1.0.6",
        json!({ "ready": false, "serving": true, "terminating": false }),
    );
    let rest = [leaving, starting, gone, failing];
    let with = |first: Value| Value::Array([&[first], &rest[..]].concat());
    assert_eq!(one(with(ready("10.1.0.1"))), ["10.1.0.1:8080"]);
    assert_eq!(one(Value::Array(rest.to_vec())), ["10.1.0.3:8080"]);
    assert_eq!(one(json!([rest[1], rest[2], rest[3]])), [""; 0]);
    // What is not said counts as ready.
    for conditions in [json!(null), json!({}), json!({ "ready": null })] {
        assert_eq!(one(json!([pod("10.1.0.1", conditions)])), ["10.1.0.1:8080"]);
    }
    for nobody in [json!(null), json!([])] {
        assert_eq!(one(nobody), [""; 0]);
    }
}

#[test]
fn slices_of_a_service_are_taken_together() {
    let slices = [
        slice(
            "orders-a",
            "IPv4",
            json!([ready("10.1.0.1"), ready("10.1.0.2")]),
            http(),
        ),
        slice("orders-b", "IPv4", json!([ready("10.1.0.3")]), http()),
        // Only if no slice has one that is ready do those count that leave.
        slice(
            "orders-c",
            "IPv4",
            json!([pod(
                "10.1.0.4",
                json!({ "ready": false, "serving": true, "terminating": true })
            )]),
            http(),
        ),
    ];
    let all = ["10.1.0.1:8080", "10.1.0.2:8080", "10.1.0.3:8080"];
    assert_eq!(shown(&slices, None, Addresses::Auto), all);
    // A slice that is changed takes the place of the one of its name.
    let changed = slice("orders-b", "IPv4", json!([ready("10.1.0.9")]), http());
    let slices = [&slices[..], &[changed]].concat();
    let all = ["10.1.0.1:8080", "10.1.0.2:8080", "10.1.0.9:8080"];
    assert_eq!(shown(&slices, None, Addresses::Auto), all);
}

#[test]
fn ports_go_by_name_or_number_and_may_differ_between_pods() {
    let two = |http: u16| {
        json!([{ "name": "http", "protocol": "TCP", "port": http },
               { "name": "metrics", "protocol": "TCP", "port": 9090 },
               { "name": "dns", "protocol": "UDP", "port": 53 }])
    };
    let slices = [
        slice("orders-a", "IPv4", json!([ready("10.1.0.1")]), two(8080)),
        slice("orders-b", "IPv4", json!([ready("10.1.0.2")]), two(8081)),
    ];
    let named = |name: &str| Some(PortRef::Name(name.into()));
    let by = |port: Option<PortRef>| shown(&slices, port, Addresses::Auto);
    assert_eq!(by(named("http")), ["10.1.0.1:8080", "10.1.0.2:8081"]);
    assert_eq!(
        by(Some(PortRef::Number(9090))),
        ["10.1.0.1:9090", "10.1.0.2:9090"]
    );
    assert_eq!(
        by(Some(PortRef::Number(8080))),
        [
            "10.1.0.1:8080",
            "orders-b: no pod has port 8080; their ports (which need not be the service's): \
             8081 (`http`), 9090 (`metrics`)",
        ]
    );
    assert_eq!(
        by(None)[0],
        "orders-a: choose one of its ports with `port`: 8080 (`http`), 9090 (`metrics`)"
    );
    // UDP is nothing to send HTTP to.
    assert_eq!(
        by(named("dns"))[0],
        "orders-a: no port is called `dns`; its ports: 8080 (`http`), 9090 (`metrics`)"
    );
    // A headless service without ports, and one whose only port has no name.
    for (ports, wanted, found) in [
        (json!(null), Some(PortRef::Number(81)), "10.1.0.1:81"),
        (
            json!([{ "name": "", "port": 8080, "protocol": "TCP" }]),
            None,
            "10.1.0.1:8080",
        ),
        (
            json!([]),
            None,
            "orders-a: choose one of its ports with `port`: none",
        ),
    ] {
        let slices = [slice("orders-a", "IPv4", json!([ready("10.1.0.1")]), ports)];
        assert_eq!(shown(&slices, wanted, Addresses::Auto), [found]);
    }
}

#[test]
fn of_two_address_families_one_is_used_unless_both_are_asked_for() {
    let v4 = slice("orders-4", "IPv4", json!([ready("10.1.0.1")]), http());
    let v6 = slice("orders-6", "IPv6", json!([ready("fd00::1")]), http());
    let both = [v4.clone(), v6.clone()];
    for (slices, addresses, found) in [
        (&both[..], Addresses::Auto, &["10.1.0.1:8080"][..]),
        (&both[1..], Addresses::Auto, &["[fd00::1]:8080"]),
        (&both, Addresses::Ipv4, &["10.1.0.1:8080"]),
        (&both, Addresses::Ipv6, &["[fd00::1]:8080"]),
        (&both[..1], Addresses::Ipv6, &[]),
        (&both, Addresses::Both, &["10.1.0.1:8080", "[fd00::1]:8080"]),
    ] {
        assert_eq!(shown(slices, None, addresses), found, "{addresses:?}");
    }
    // Slices that somebody writes by hand may name hosts.
    let name = slice(
        "orders-n",
        "FQDN",
        json!([ready("orders.example.com")]),
        http(),
    );
    assert_eq!(
        shown(&[name], None, Addresses::Auto),
        ["orders.example.com:8080"]
    );
    let wrong = slice(
        "orders-a",
        "IPv4",
        json!([ready("fd00::1"), ready("10.1.0.1")]),
        http(),
    );
    assert_eq!(
        shown(&[wrong], None, Addresses::Auto),
        [
            "10.1.0.1:8080",
            "orders-a: `fd00::1` is no address of the slice's type"
        ]
    );
}

#[test]
fn the_zone_that_is_to_use_an_endpoint_is_its_zone() {
    let zoned = |zone: Value, hints: Value| {
        let mut pod = ready("10.1.0.1");
        pod["zone"] = zone;
        pod["hints"] = hints;
        let slices = [slice("orders-a", "IPv4", json!([pod]), http())];
        let found = entries(&slices, &source(None, Addresses::Auto)).found;
        found[0].spec.zone.as_deref().map(str::to_owned)
    };
    let hints = json!({ "forZones": [{ "name": "eu-1b" }] });
    assert_eq!(zoned(json!("eu-1a"), json!(null)).unwrap(), "eu-1a");
    assert_eq!(zoned(json!("eu-1a"), hints).unwrap(), "eu-1b");
    assert_eq!(
        zoned(json!("eu-1a"), json!({ "forZones": [] })).unwrap(),
        "eu-1a"
    );
    assert_eq!(zoned(json!(""), json!({})), None);
}

async fn kubeconfig(value: Value, context: Option<&str>) -> Result<Opened, String> {
    kubeconfig::open(Path::new("/etc/kube/config"), context, value).await
}

/// As kubectl writes it, with one part replaced.
fn file(pointer: &str, value: Value) -> Value {
    let mut file = json!({
        "apiVersion": "v1", "kind": "Config", "preferences": {},
        "current-context": "prod",
        "contexts": [
            { "name": "prod", "context": { "cluster": "one", "user": "lintel", "namespace": "shop" } },
            { "name": "bare", "context": { "cluster": "one" } },
            { "name": "lost", "context": { "cluster": "none", "user": "lintel" } },
        ],
        "clusters": [{ "name": "one", "cluster": {
            "server": "https://10.0.0.1:6443/k8s/clusters/c-1/", "certificate-authority": "ca.pem" } }],
        "users": [{ "name": "lintel", "user": { "token": "t0ken" } }],
    });
    if let Some(place) = file.pointer_mut(pointer) {
        *place = value;
    }
    file
}

#[tokio::test]
async fn a_kubeconfig_leads_to_a_server_and_credentials() {
    let opened = kubeconfig(file("", json!(null)), None).await;
    // The empty pointer is the whole document.
    assert!(opened.is_err());
    let opened = kubeconfig(file("/none", json!(null)), None).await.unwrap();
    assert_eq!(opened.server.to_string(), "https://10.0.0.1:6443");
    assert_eq!(opened.base, "/k8s/clusters/c-1");
    assert_eq!(
        (&*opened.namespace, opened.token.unwrap().expose()),
        ("shop", "t0ken")
    );
    let tls = opened.server.tls.unwrap();
    assert_eq!(tls.roots, Roots::File("/etc/kube/ca.pem".into()));
    assert!(tls.verify && tls.given.is_empty());

    let bare = kubeconfig(file("/none", json!(null)), Some("bare"))
        .await
        .unwrap();
    assert_eq!((&*bare.namespace, bare.token), ("default", None));

    let cluster = json!({ "server": "https://[fd00::1]", "tls-server-name": "kubernetes",
        "insecure-skip-tls-verify": true, "certificate-authority": "ca.pem",
        "certificate-authority-data": "UEVN" });
    let opened = kubeconfig(file("/clusters/0/cluster", cluster), None)
        .await
        .unwrap();
    assert_eq!(opened.server.to_string(), "https://[fd00::1]:443");
    let tls = opened.server.tls.unwrap();
    assert_eq!(
        (tls.verify, tls.server_name.as_deref()),
        (false, Some("kubernetes"))
    );
    // Data goes before the file.
    assert_eq!(tls.given[0].pem, b"PEM");
    assert_eq!(tls.roots, Roots::File(tls.given[0].path.clone()));

    let user = json!({ "client-certificate-data": "Q0VS\nVA==\n", "client-key": "lintel.key" });
    let opened = kubeconfig(file("/users/0/user", user), None).await.unwrap();
    let tls = opened.server.tls.unwrap();
    assert_eq!(tls.given[0].pem, b"CERT");
    let pair = tls.client_certificate.unwrap();
    assert_eq!(pair.key, Path::new("/etc/kube/lintel.key"));
    assert_eq!(pair.cert, tls.given[0].path);

    // kubectl proxy.
    let plain = json!({ "server": "http://127.0.0.1:8001" });
    let opened = kubeconfig(file("/clusters/0/cluster", plain), Some("bare"))
        .await
        .unwrap();
    assert_eq!(
        (opened.server.to_string(), opened.server.tls),
        ("http://127.0.0.1:8001".into(), None)
    );
}

#[tokio::test]
async fn what_a_kubeconfig_can_not_do_here_is_told_without_its_secrets() {
    let exec =
        json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": "aws" } });
    let cases = [
        (
            "/users/0/user",
            exec,
            None,
            "a command for credentials (`exec`), and the gateway runs none",
        ),
        (
            "/users/0/user",
            json!({ "auth-provider": { "name": "gcp" } }),
            None,
            "`auth-provider`",
        ),
        (
            "/users/0/user",
            json!({ "username": "a", "password": "s3cr3t" }),
            None,
            "a password",
        ),
        (
            "/users/0/user",
            json!({ "client-key": "a.key" }),
            None,
            "a client key without",
        ),
        (
            "/users/0/user",
            json!({ "client-certificate": "a.pem" }),
            None,
            "without a key",
        ),
        (
            "/users/0/user",
            json!({ "client-key-data": "s3cr3t!" }),
            None,
            "`client-key-data` is not valid base64",
        ),
        (
            "/users/0/user/token",
            json!(53_437_434),
            None,
            "`users[0].user.token` is not",
        ),
        (
            "/users/0/user",
            json!({ "tokenFile": "/nonexistent/token" }),
            None,
            "/nonexistent/token can't be read",
        ),
        ("/users", json!(null), None, "it has no user `lintel`"),
        (
            "/none",
            json!(null),
            Some("lost"),
            "it has no cluster `none`",
        ),
        (
            "/none",
            json!(null),
            Some("dev"),
            "it has no context `dev`; it has: prod, bare, lost",
        ),
        (
            "/current-context",
            json!(""),
            None,
            "it has no `current-context`",
        ),
        (
            "/contexts/0",
            json!({ "name": "prod" }),
            None,
            "context `prod` is empty",
        ),
        (
            "/clusters/0/cluster/server",
            json!("10.0.0.1:6443"),
            None,
            "is not the URL of a server",
        ),
        (
            "/clusters/0/cluster/server",
            json!("http://10.0.0.1"),
            None,
            "a token is not sent over plain http",
        ),
        (
            "/clusters/0/cluster",
            json!({ "server": "https://a", "proxy-url": "socks5://b" }),
            None,
            "`proxy-url`",
        ),
    ];
    for (pointer, value, context, told) in cases {
        let error = kubeconfig(file(pointer, value), context).await.unwrap_err();
        assert!(error.contains(told), "{pointer}: {error}");
        assert!(
            !error.contains("s3cr3t") && !error.contains("53437434"),
            "{error}"
        );
    }
}
