//! TLS towards origins, and what ALPN settles.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, Version};
use lintel_http::Body;
use lintel_tls::{Alpn, ClientSettings, Roots};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Gateway, call, head,
    origin::{Origin, ok},
    read,
    server::{Certificates, Server, Setup},
    until, worker,
};
use crate::service::{
    EndpointHost, EndpointSpec, Protocol, Scheme, Service, ServiceSpec, connectors,
};

fn server(alpn: &[Alpn]) -> (Server, Arc<Certificates>) {
    let certificates = Certificates::new();
    let setup = Setup {
        tls: Some(Arc::clone(&certificates)),
        alpn: alpn.to_vec(),
        ..Setup::default()
    };
    (Server::start(setup), certificates)
}

fn spec(
    address: std::net::SocketAddr,
    certificates: &Certificates,
    protocol: Protocol,
) -> ServiceSpec {
    let endpoint = EndpointSpec {
        scheme: Scheme::Https,
        ..EndpointSpec::http(address)
    };
    let tls = ClientSettings {
        roots: Roots::File(certificates.ca()),
        ..ClientSettings::default()
    };
    ServiceSpec {
        protocol,
        tls: Some(tls),
        ..ServiceSpec::new("orders", vec![endpoint])
    }
}

#[test]
fn alpn_decides_what_is_spoken() {
    let both = [Alpn::H2, Alpn::Http1];
    let cases = [
        (&both[..], Protocol::Auto, "ok", Version::HTTP_2),
        (&both[..], Protocol::Http2, "ok", Version::HTTP_2),
        (&both[..], Protocol::Http1, "http1", Version::HTTP_11),
        (&both[1..], Protocol::Auto, "http1", Version::HTTP_11),
        (&[], Protocol::Auto, "http1", Version::HTTP_11),
        (&[], Protocol::Http1, "http1", Version::HTTP_11),
    ];
    for (alpn, protocol, body, version) in cases {
        let (server, certificates) = server(alpn);
        worker(async {
            let gateway = Gateway::new(spec(server.address, &certificates, protocol));
            for _ in 0..3 {
                let answer = gateway.get("/").await.unwrap();
                assert_eq!(answer.response.version(), version, "{alpn:?} {protocol:?}");
                assert_eq!(read(answer).await.1, body);
            }
            let (a, b) = tokio::join!(gateway.get("/"), gateway.get("/"));
            drop((a.unwrap(), b.unwrap()));
        });
        let connections = if version == Version::HTTP_2 { 1 } else { 2 };
        assert_eq!(server.connections(), connections, "{alpn:?} {protocol:?}");
    }
}

#[test]
fn requests_at_once_find_out_together_what_is_spoken() {
    for (alpn, connections) in [(Alpn::H2, 1), (Alpn::Http1, 3)] {
        let (server, certificates) = server(&[alpn]);
        worker(async {
            let gateway = Gateway::new(spec(server.address, &certificates, Protocol::Auto));
            let (a, b, c) = tokio::join!(gateway.get("/"), gateway.get("/"), gateway.get("/"));
            for answer in [a, b, c] {
                assert_eq!(answer.unwrap().response.status(), StatusCode::OK);
            }
            assert_eq!(gateway.in_flight(), 0);
        });
        assert_eq!(server.connections(), connections, "{alpn:?}");
    }
}

#[test]
fn an_upgrade_has_an_http1_connection_of_its_own() {
    let (server, certificates) = server(&[Alpn::H2, Alpn::Http1]);
    worker(async {
        let gateway = Gateway::new(spec(server.address, &certificates, Protocol::Auto));
        assert_eq!(gateway.text("/").await.1, "ok");
        let mut head = head(Method::GET, "/chat");
        let call = call(&mut head, Body::empty(), &gateway.timer);
        let echo = HeaderValue::from_static("echo");
        let upgrade = Some(&echo);
        let answer = gateway
            .pools
            .send(&gateway.service, super::Call { upgrade, ..call })
            .await
            .unwrap();
        assert_eq!(answer.response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut tunnel = answer.upgraded.unwrap();
        tunnel.io.write_all(b" world").await.unwrap();
        tunnel.io.flush().await.unwrap();
        let mut said = [0; 11];
        tunnel.io.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello world");
        assert_eq!(gateway.in_flight(), 1);
        drop(tunnel);
        assert_eq!(gateway.in_flight(), 0);
        until(|| server.closed() == 1).await;
        // Ordinary requests go on over HTTP/2.
        assert_eq!(gateway.text("/").await.1, "ok");
        assert_eq!(server.connections(), 2);
        assert_eq!(gateway.metric("lintel_upstream_connections", &[]), 1.0);
    });
}

#[test]
fn a_certificate_of_another_ca_is_refused() {
    let (server, _) = server(&[Alpn::Http1]);
    worker(async {
        let gateway = Gateway::new(spec(server.address, &Certificates::new(), Protocol::Auto));
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!(
            (failure.code, failure.attempts),
            ("upstream_connect_failed", 1)
        );
        assert_eq!(failure.facts.status(), StatusCode::BAD_GATEWAY);
        assert!(failure.cause.contains("certificate"), "{}", failure.cause);
        assert_eq!(
            gateway.metric(
                "lintel_upstream_connect_failures_total",
                &["reason=\"tls\""]
            ),
            1.0
        );
        assert_eq!(
            gateway
                .service
                .usage
                .connections
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
    });
}

#[test]
fn the_name_that_is_verified_is_the_endpoints_or_the_one_given() {
    let (server, certificates) = server(&[Alpn::Http1]);
    let named = |name: Option<&str>, host: EndpointHost| {
        let mut spec = spec(server.address, &certificates, Protocol::Http1);
        spec.endpoints[0].host = host;
        spec.tls.as_mut().unwrap().server_name = name.map(ToOwned::to_owned);
        spec
    };
    let ip = || EndpointHost::Ip("127.0.0.1".parse().unwrap());
    let cases = [
        (named(None, ip()), true),
        (named(None, EndpointHost::Name("localhost".into())), true),
        (
            named(None, EndpointHost::Name("orders.localhost".into())),
            false,
        ),
        (
            named(
                Some("localhost"),
                EndpointHost::Name("orders.localhost".into()),
            ),
            true,
        ),
        (named(Some("other.example"), ip()), false),
    ];
    for (spec, good) in cases {
        worker(async {
            let sent = Gateway::new(spec.clone()).get("/").await;
            assert_eq!(sent.is_ok(), good, "{spec:?}");
        });
    }
}

#[test]
fn http2_alone_needs_alpn() {
    let (server, certificates) = server(&[Alpn::Http1]);
    worker(async {
        let gateway = Gateway::new(spec(server.address, &certificates, Protocol::Http2));
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!(failure.code, "upstream_connect_failed");
    });
}

#[test]
fn plain_http_is_told_apart() {
    let origin = Origin::start(|_| ok("x"));
    let certificates = Certificates::new();
    worker(async {
        let gateway = Gateway::new(spec(origin.address, &certificates, Protocol::Auto));
        let sent = tokio::time::timeout(std::time::Duration::from_secs(30), gateway.get("/"))
            .await
            .unwrap();
        assert!(sent.unwrap_err().code.starts_with("upstream_connect"));
    });
}

#[test]
fn services_with_equal_settings_share_a_connector() {
    let certificates = Certificates::new();
    let build = |name: &str, protocol| {
        let mut spec = spec("127.0.0.1:9".parse().unwrap(), &certificates, protocol);
        spec.name = name.into();
        Service::build(spec, None).unwrap()
    };
    let mine = || {
        let all = connectors();
        all.into_iter()
            .filter(|connector| connector.files().contains(&certificates.ca()))
            .count()
    };
    let services: Vec<_> = (0..50)
        .map(|index| build(&format!("s{index}"), Protocol::Http1))
        .collect();
    assert_eq!(mine(), 1);
    let auto = build("auto", Protocol::Auto);
    assert_eq!(mine(), 2);
    drop((services, auto));
    assert_eq!(mine(), 0);
}

#[test]
fn a_replaced_ca_is_trusted_once_it_is_read_again() {
    let (server, certificates) = server(&[Alpn::Http1]);
    let other = Certificates::new();
    let ca = other.ca();
    worker(async {
        let gateway = Gateway::new(spec(server.address, &other, Protocol::Auto));
        let failure = gateway.get("/").await.unwrap_err();
        assert_eq!(failure.code, "upstream_connect_failed");
        std::fs::copy(certificates.ca(), &ca).unwrap();
        assert!(gateway.service.reload_tls().unwrap());
        assert!(!gateway.service.reload_tls().unwrap());
        assert_eq!(gateway.text("/").await.1, "http1");
        std::fs::write(&ca, "no certificate").unwrap();
        assert!(gateway.service.reload_tls().is_err());
        let (a, b) = tokio::join!(gateway.get("/"), gateway.get("/"));
        drop((a.unwrap(), b.unwrap()));
    });
}
