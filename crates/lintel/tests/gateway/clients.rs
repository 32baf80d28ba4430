//! Clients that others wrote: curl and openssl.

use std::{fs, path::Path};

use lintel_testkit::Origin;
use tempfile::TempDir;

use crate::support::{Authority, Gateway, curl, openssl, to_origin, with_routes};

#[test]
fn curl_speaks_http_1_and_2_in_plaintext() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&to_origin(&origin, ""));
    let url = format!("http://{}/x", gateway.public());
    for (version, shown) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let said = curl(&[
            version,
            "-d",
            "hello",
            "-w",
            " %{http_code} %{http_version}",
            &url,
        ]);
        assert_eq!(said, format!("hello 200 {shown}"));
    }
}

#[test]
fn curl_is_told_no_by_http_2_as_well() {
    let gateway = Gateway::start(&with_routes(""));
    let url = format!("http://{}/x", gateway.public());
    let said = curl(&["--http2-prior-knowledge", "-w", " %{http_code}", &url]);
    assert!(
        said.contains("\"code\":\"no_route\"") && said.ends_with(" 404"),
        "{said}"
    );
}

#[test]
fn a_grpc_caller_is_told_no_in_its_own_terms() {
    let gateway = Gateway::start(&with_routes(""));
    let url = format!("http://{}/shop.Orders/List", gateway.public());
    let media = "Content-Type: application/grpc";
    let said = curl(&[
        "--http2-prior-knowledge",
        "-i",
        "-X",
        "POST",
        "-H",
        media,
        "-H",
        "TE: trailers",
        &url,
    ]);
    assert!(said.starts_with("HTTP/2 200"), "{said}");
    assert!(
        said.contains("content-type: application/grpc\r\n"),
        "{said}"
    );
    // 12 is UNIMPLEMENTED: no such method here.
    assert!(said.contains("grpc-status: 12\r\n"), "{said}");
    assert!(said.contains("grpc-message: No route"), "{said}");
}

#[test]
fn curl_speaks_http_1_and_2_over_tls() {
    let (origin, secured) = (Origin::saying("hello"), Secured::new());
    let gateway = Gateway::start(&secured.configuration(&origin));
    let address = gateway.listener("secure");
    let url = format!("https://localhost:{}/x", address.port());
    let resolve = format!("localhost:{}:127.0.0.1", address.port());
    for (version, shown) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let asked = ["--cacert", &secured.cert(), "--resolve", &resolve, version];
        let said = curl(&[&asked[..], &["-w", " %{http_code} %{http_version}", &url]].concat());
        assert_eq!(said, format!("hello 200 {shown}"));
    }
    assert_eq!(origin.seen()[0].header("x-forwarded-proto"), Some("https"));
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let (origin, authority) = (Origin::saying("hello"), Authority::new());
    let listener = authority.listener();
    let asking = format!(
        "{}, client_auth: {{ ca: {}, mode: optional }} }}",
        listener.trim_end_matches(" }"),
        authority.ca()
    );
    let yaml = format!(
        "version: 1\nlisteners: {{ public: {{ bind: 127.0.0.1:0, {asking} }} }}\n\
         consumers: {{ acme: {{ certificates: [{{ dns: client.test }}] }} }}\n\
         services: {{ echo: {{ endpoints: [\"{}\"] }} }}\n\
         routes: {{ all: {{ match: {{ path: /* }}, policies: {{ mtls: {{ forward: {{ X-Who: consumer.name }} }} }}, to: echo }} }}\n",
        origin.url()
    );
    let gateway = Gateway::start(&yaml);
    let address = gateway.public();
    let url = format!("https://localhost:{}/x", address.port());
    let resolve = format!("localhost:{}:127.0.0.1", address.port());
    let ca = authority.ca();
    let ask = |name: Option<&str>, version: &str| {
        let files = name.map(|name| authority.issue(name));
        let own = files
            .iter()
            .flat_map(|(cert, key)| ["--cert", cert, "--key", key]);
        let asked = [
            "--cacert",
            &ca,
            "--resolve",
            &resolve,
            version,
            "-o",
            "/dev/null",
        ];
        let all: Vec<&str> = asked
            .into_iter()
            .chain(own)
            .chain(["-w", "%{http_code}", &url])
            .collect();
        curl(&all)
    };
    for version in ["--http1.1", "--http2"] {
        assert_eq!(ask(Some("client.test"), version), "200");
        assert_eq!(ask(Some("stranger.test"), version), "401");
        assert_eq!(ask(None, version), "401");
    }
    assert_eq!(origin.seen()[0].header("x-who"), Some("acme"));
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn openssl_verifies_the_certificate_and_is_answered() {
    let (origin, secured) = (Origin::saying("hello"), Secured::new());
    let gateway = Gateway::start(&secured.configuration(&origin));
    let address = gateway.listener("secure").to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let said = openssl(
            &[
                "s_client",
                "-connect",
                &address,
                "-servername",
                "localhost",
                "-alpn",
                "http/1.1",
                "-CAfile",
                &secured.cert(),
                "-verify_return_error",
                "-ign_eof",
                version,
            ],
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        assert!(
            said.contains("HTTP/1.1 200") && said.contains("hello"),
            "{said}"
        );
    }
}

/// A certificate for `localhost` in a folder.
struct Secured(TempDir);

impl Secured {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(
            folder.path().join("key.pem"),
            made.signing_key.serialize_pem(),
        )
        .unwrap();
        Self(folder)
    }

    fn cert(&self) -> String {
        text(&self.0.path().join("cert.pem"))
    }

    fn configuration(&self, origin: &Origin) -> String {
        let (cert, key) = (self.cert(), text(&self.0.path().join("key.pem")));
        let tls = format!("tls: {{ certificates: [{{ cert: {cert}, key: {key} }}] }}");
        let more = format!("listeners: {{ secure: {{ bind: 127.0.0.1:0, {tls} }}, ");
        to_origin(origin, "").replace("listeners: { ", &more)
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
