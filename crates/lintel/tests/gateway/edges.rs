//! Both edges of the gateway with the tools of operators: TLS, Unix sockets, the PROXY protocol,
//! `Expect: 100-continue`; against curl, openssl and HAProxy.

use std::fs;

use lintel_testkit::{Origin, until};

use crate::support::{
    Authority, Balancer, Gateway, TlsServer, curl, on_listener, openssl, text, to_origin, to_url,
    with_routes,
};

#[test]
fn an_upstream_is_verified_by_the_authority_given() {
    let authority = Authority::new();
    let server = TlsServer::start(&authority, "orders.test", &[]);
    let settings = format!(
        "tls: {{ ca: {}, server_name: orders.test }}",
        authority.ca()
    );
    let reply = Gateway::start(&to_tls(&server, &settings)).get("/");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains("s_server"), "{}", reply.text());
}

#[test]
fn an_upstream_of_another_name_or_authority_is_502_and_the_log_says_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = TlsServer::start(&authority, "orders.test", &[]);
    for (ca, name, why) in [
        (authority.ca(), "users.test", "users.test"),
        (
            other.ca(),
            "orders.test",
            "its issuer is not among the trusted CAs",
        ),
    ] {
        let settings = format!("tls: {{ ca: {ca}, server_name: {name} }}");
        let yaml = to_tls(&server, &settings) + "defaults: { policies: { access_log: {} } }\n";
        let gateway = Gateway::start(&yaml);
        let reply = gateway.get("/");
        assert_eq!(reply.status, 502, "{}", reply.text());
        let told = reply.text();
        assert!(!told.contains("127.0.0.1") && !told.contains(why), "{told}");
        until(&format!("a log says `{why}`"), || {
            (gateway.logs(why) || gateway.stdout().contains(why)).then_some(())
        });
    }
}

#[test]
fn an_upstream_that_wants_a_certificate_gets_the_one_configured() {
    let authority = Authority::new();
    let asking = [
        "-Verify",
        "1",
        "-verify_return_error",
        "-CAfile",
        &authority.ca(),
    ];
    let server = TlsServer::start(&authority, "orders.test", &asking);
    let common = format!("ca: {}, server_name: orders.test", authority.ca());
    let reply = Gateway::start(&to_tls(&server, &format!("tls: {{ {common} }}"))).get("/");
    assert_eq!(reply.status, 502, "{}", reply.text());

    let (cert, key) = authority.issue("lintel.test");
    let settings =
        format!("tls: {{ {common}, client_certificate: {{ cert: {cert}, key: {key} }} }}");
    let reply = Gateway::start(&to_tls(&server, &settings)).get("/");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains("lintel.test"), "{}", reply.text());
}

#[test]
fn listeners_and_upstreams_on_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let socket = text(folder.path().join("inner.sock"));
    let gateway = Gateway::start(
        &with_routes(&format!(
            "services: {{ inner: {{ endpoints: [\"unix:{socket}\"] }} }}\n\
             routes:\n  inner: {{ match: {{ path: /x, listeners: [inner] }}, to: {{ respond: {{ body: within }} }} }}\n  \
             outer: {{ match: {{ path: /x, listeners: [public] }}, to: inner }}"
        ))
        .replace("listeners: {", &format!("listeners: {{ inner: {{ bind: \"unix:{socket}\" }}, ")),
    );
    let show = " %{http_code} %{http_version}";
    for (version, shown) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let direct = [
            "--unix-socket",
            &socket,
            version,
            "-w",
            show,
            "http://test/x",
        ];
        assert_eq!(curl(&direct), format!("within 200 {shown}"));
    }
    let reply = gateway.get("/x");
    assert_eq!((reply.status, reply.text().as_str()), (200, "within"));
}

#[test]
fn curl_names_the_client_by_the_proxy_protocol() {
    let origin = Origin::saying("hello");
    let settings = "proxy_protocol: { from: [127.0.0.2/32] }";
    let gateway = Gateway::start(&on_listener(&to_origin(&origin, ""), settings));
    let url = format!("http://{}/x", gateway.public());
    let through = ["--haproxy-protocol", "--interface", "127.0.0.2", &url];
    assert_eq!(curl(&through), "hello");
    assert_eq!(origin.only().header("x-forwarded-for"), Some("127.0.0.2"));
    // From anybody else such a header is no HTTP.
    let refused = [
        "--haproxy-protocol",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &url,
    ];
    assert_eq!(curl(&refused), "400");
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn haproxy_names_the_client_by_both_versions_of_the_proxy_protocol() {
    for option in ["send-proxy", "send-proxy-v2"] {
        let origin = Origin::saying("hello");
        let settings = "proxy_protocol: { from: [127.0.0.1/32] }";
        let gateway = Gateway::start(&on_listener(&to_origin(&origin, ""), settings));
        let balancer = Balancer::start(&format!(
            "mode tcp\n server lintel {} source 127.0.0.1 {option} check inter 1h\n",
            gateway.public()
        ));
        let url = format!("http://127.0.0.1:{}/x", balancer.port());
        let through = ["--interface", "127.0.0.3", &url];
        assert_eq!(curl(&through), "hello", "{option}");
        let seen = origin.only();
        assert_eq!(
            seen.header("x-forwarded-for"),
            Some("127.0.0.3"),
            "{option}"
        );
    }
}

#[test]
fn curl_waits_for_100_continue_before_it_sends_much() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let url = format!("http://{}/x", gateway.public());
    let folder = tempfile::tempdir().unwrap();
    let [body, heads] = ["body", "heads"].map(|name| text(folder.path().join(name)));
    fs::write(&body, b"0123456789abcdef".repeat(300_000)).unwrap();
    let data = format!("@{body}");
    let expects = ["--http1.1", "--expect100-timeout", "50", "-D", &heads];
    let sends = ["-H", "Expect: 100-continue", "--data-binary", &data, &url];
    let said = curl(&[&expects[..], &sends].concat());
    assert!(said == fs::read_to_string(&body).unwrap(), "another body");
    let heads = fs::read_to_string(&heads).unwrap();
    assert!(heads.starts_with("HTTP/1.1 100 Continue\r\n"), "{heads}");
    assert!(heads.contains("\r\n\r\nHTTP/1.1 200 OK\r\n"), "{heads}");
}

#[test]
fn curl_sends_nothing_of_a_body_that_is_refused() {
    let origin = Origin::echo();
    let yaml = on_listener(&to_origin(&origin, ""), "limits: { body: 1MiB }");
    let gateway = Gateway::start(&yaml);
    let url = format!("http://{}/x", gateway.public());
    let folder = tempfile::tempdir().unwrap();
    let body = text(folder.path().join("body"));
    fs::write(&body, vec![b'x'; 5 << 20]).unwrap();
    let data = format!("@{body}");
    let expects = [
        "--http1.1",
        "--expect100-timeout",
        "50",
        "-H",
        "Expect: 100-continue",
    ];
    let shows = ["-o", "/dev/null", "-w", "%{http_code} %{size_upload}"];
    let said = curl(&[&expects[..], &shows, &["--data-binary", &data, &url]].concat());
    assert_eq!(said, "413 0");
    assert!(origin.seen().is_empty());
}

#[test]
fn openssl_resumes_its_session() {
    let (origin, authority) = (Origin::saying("hello"), Authority::new());
    let gateway = Gateway::start(&on_listener(&to_origin(&origin, ""), &authority.listener()));
    let address = gateway.public().to_string();
    let folder = tempfile::tempdir().unwrap();
    let session = text(folder.path().join("session"));
    for (version, shown) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let common = [
            "s_client",
            "-connect",
            &address,
            "-servername",
            "localhost",
            "-ign_eof",
        ];
        for (option, state) in [("-sess_out", "New"), ("-sess_in", "Reused")] {
            let said = openssl(
                &[&common[..], &[version, option, &session]].concat(),
                "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            );
            assert!(said.contains(&format!("{state}, {shown}, ")), "{said}");
            assert!(said.contains("HTTP/1.1 200"), "{said}");
        }
    }
    let metrics = gateway.ask("/metrics").text();
    let resumed = metrics.lines().filter(|line| {
        line.starts_with("lintel_tls_handshakes_total{") && line.contains("resumed=\"true\"")
    });
    assert_eq!(resumed.count(), 2, "{metrics}");
}

fn to_tls(server: &TlsServer, settings: &str) -> String {
    let yaml = to_url(&format!("https://127.0.0.1:{}", server.port()), "");
    yaml.replace("endpoints:", &format!("{settings}, endpoints:"))
}
