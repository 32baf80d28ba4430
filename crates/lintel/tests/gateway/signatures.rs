//! Requests that libraries of others have signed.

use lintel_testkit::{Origin, until};

use crate::support::{Gateway, Peer, openssl, text, with_routes};

const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

struct Scene {
    origin: Origin,
    gateway: Gateway,
    caller: Peer,
}

impl Scene {
    /// A gateway with a policy, its consumer `acme` with these keys, and somebody who signs.
    fn new(keys: &str, policy: &str) -> Self {
        let origin = Origin::saying("found");
        let gateway = Gateway::start(&with_routes(&format!(
            "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\n\
             consumers:\n  acme:\n    signing_keys:\n{keys}\
             defaults: {{ policies: {{ access_log: {{ format: json, to: stdout }} }} }}\n\
             routes:\n  all:\n    match: {{ path: \"/*\" }}\n    to: origin\n    policies:\n\
             \x20     hmac: {{ forward: {{ X-Consumer: consumer.name }}, {policy} }}",
            origin.url()
        )));
        let caller = Peer::start("signer.py", &[&format!("http://{}", gateway.public())]);
        Self {
            origin,
            gateway,
            caller,
        }
    }

    fn asks(&mut self, order: &str) -> u16 {
        let said = self.caller.order(order);
        said.strip_prefix("status ").unwrap().parse().unwrap()
    }

    /// Waits until the access log says why a request was refused.
    fn until_logged(&self, cause: &str) {
        until(&format!("`{cause}` is logged"), || {
            self.gateway.stdout().contains(cause).then_some(())
        });
    }
}

#[test]
fn http_message_signatures_of_another_library_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = format!("      - {{ id: hmac, algorithm: hmac-sha256, secret: {SECRET} }}\n");
    let pairs = [
        ("ED25519", "ed25519", &["-algorithm", "ed25519"][..]),
        (
            "ECDSA_P256_SHA256",
            "ecdsa-p256-sha256",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ),
        (
            "ECDSA_P384_SHA384",
            "ecdsa-p384-sha384",
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        ),
        (
            "RSA_PSS_SHA512",
            "rsa-pss-sha512",
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        ),
        (
            "RSA_V1_5_SHA256",
            "rsa-v1_5-sha256",
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        ),
    ];
    let mut orders = vec![format!("HMAC_SHA256 hmac {SECRET}")];
    for (name, algorithm, options) in pairs {
        let private = text(folder.path().join(algorithm));
        openssl(&[&["genpkey", "-out", &private][..], options].concat(), "");
        let public = openssl(&["pkey", "-pubout", "-in", &private], "");
        keys.push_str(&format!(
            "      - id: {algorithm}\n        algorithm: {algorithm}\n        public_key: |\n{}",
            public
                .lines()
                .map(|line| format!("          {line}\n"))
                .collect::<String>()
        ));
        orders.push(format!("{name} {algorithm} {private}"));
    }
    let mut scene = Scene::new(&keys, "components: [\"@method\", \"@target-uri\", date]");
    for order in orders {
        assert_eq!(
            scene.asks(&format!("rfc9421 {order} GET /a?b=1&c=%20 -")),
            200,
            "{order}"
        );
        let seen = scene.origin.seen().pop().unwrap();
        assert_eq!(seen.header("x-consumer"), Some("acme"));
        assert!(seen.header("signature").is_none() && seen.header("signature-input").is_none());
        let bodies = ["{\"hello\":1}", "chunked:{\"hello\":1}"];
        for body in bodies {
            assert_eq!(
                scene.asks(&format!("rfc9421 {order} POST /a {body}")),
                200,
                "{order}"
            );
            let seen = scene.origin.seen().pop().unwrap();
            assert_eq!(seen.body, b"{\"hello\":1}", "{body}");
        }
        let count = scene.origin.seen().len();
        assert_eq!(
            scene.asks(&format!("rfc9421 {order} POST /a late:other")),
            401,
            "{order}"
        );
        assert_eq!(scene.origin.seen().len(), count, "nothing of it is seen");
    }
    scene.until_logged("content_wrong");
    assert_eq!(
        scene.asks("rfc9421 HMAC_SHA256 hmac another-secret-of-thirty-two-bytes-x GET /a -"),
        401
    );
    scene.until_logged("signature_wrong: hmac");
    assert_eq!(
        scene.asks(&format!("rfc9421 HMAC_SHA256 nobody {SECRET} GET /a -")),
        401
    );
    scene.until_logged("key_unknown");
    assert!(!scene.gateway.stdout().contains(SECRET));
}

#[test]
fn requests_that_botocore_signs_are_believed() {
    let keys =
        format!("      - {{ id: AKIDEXAMPLE, algorithm: aws4-hmac-sha256, secret: {SECRET} }}\n");
    let policy =
        "format: aws_sigv4, aws: { region: eu-central-1, service: execute-api, presigned: true }";
    let mut scene = Scene::new(&keys, policy);
    let own = format!("AKIDEXAMPLE {SECRET} eu-central-1 execute-api");
    for target in ["/", "/a/b?z=1&a=2&a=1", "/a%20b/%C3%A9?q=a%2Bb%20c&empty"] {
        assert_eq!(
            scene.asks(&format!("sigv4 {own} GET {target} -")),
            200,
            "{target}"
        );
        let seen = scene.origin.seen().pop().unwrap();
        assert_eq!(seen.header("x-consumer"), Some("acme"));
        assert!(seen.header("authorization").is_none());
    }
    assert_eq!(scene.asks(&format!("sigv4 {own} POST /a?b=1 hello")), 200);
    assert_eq!(scene.origin.seen().pop().unwrap().body, b"hello");
    assert_eq!(scene.asks(&format!("sigv4 {own} POST /a late:hello")), 401);
    assert_eq!(
        scene.asks(&format!(
            "sigv4 AKIDEXAMPLE {SECRET} us-east-1 execute-api GET /a -"
        )),
        401
    );
    scene.until_logged("signature_scope: AKIDEXAMPLE");

    assert_eq!(scene.asks(&format!("presigned {own} /a?x=1")), 200);
    let seen = scene.origin.seen().pop().unwrap();
    assert_eq!(seen.target, "/a?x=1", "its parameters end here");
    scene.until_logged("X-Amz-Signature=***");
}

#[test]
fn signed_content_is_held_within_bounds_and_sent_once_it_is_right() {
    let keys = format!("      - {{ id: hmac, algorithm: hmac-sha256, secret: {SECRET} }}\n");
    let mut scene = Scene::new(&keys, "max_content: 1KiB, nonce: false");
    let address = scene.gateway.public();
    let mut fields = |body: &str| {
        let order = format!("only rfc9421 HMAC_SHA256 hmac {SECRET} POST /a {body}");
        let said = scene.caller.order(&order);
        let fields = said.strip_prefix("fields ").unwrap().replace('\t', "\r\n");
        format!("POST /a HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n")
    };

    // Whoever asks first is told to go on.
    let mut client = scene.gateway.client();
    client.send(format!(
        "{}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        fields("hello")
    ));
    assert_eq!(client.head().unwrap().0, 100);
    assert_eq!(client.send("hello").reply().status, 200);
    assert_eq!(scene.origin.seen().pop().unwrap().body, b"hello");

    let head = fields("hello");
    let large = format!("400\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1024));
    for (more, status) in [
        (
            format!("Content-Length: 1025\r\n\r\n{}", "x".repeat(1025)),
            413,
        ),
        (format!("Transfer-Encoding: chunked\r\n\r\n{large}"), 413),
        ("Content-Length: 5\r\n\r\nHello".to_owned(), 401),
        ("Content-Length: 5\r\n\r\nhello".to_owned(), 200),
    ] {
        let mut client = scene.gateway.client();
        assert_eq!(client.send(format!("{head}{more}")).reply().status, status);
    }
    // Half of it, and then nobody.
    let mut gone = scene.gateway.client();
    gone.send(format!("{head}Content-Length: 5\r\n\r\nhel"));
    drop(gone);
    assert_eq!(scene.gateway.get("/").status, 401, "others are served");
    assert_eq!(scene.origin.seen().len(), 2, "nothing else was seen");
}
