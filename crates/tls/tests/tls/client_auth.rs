//! Client certificates.

use lintel_tls::{ClientAuth, ClientCa, HandshakeErrorKind, PeerCertificate, TlsWarningKind};

use crate::support::*;

struct Scene {
    dir: Dir,
    ca: Ca,
    settings: lintel_tls::ServerSettings,
}

fn scene(crl: Option<&str>, required: bool) -> Scene {
    let (dir, ca, mut settings) = simple();
    let authority = ClientCa {
        ca: dir.write("clients.pem", &ca.pem),
        crl: crl.map(|text| dir.write("clients.crl", text)),
    };
    settings.client_auth = if required {
        ClientAuth::Required(authority)
    } else {
        ClientAuth::Optional(authority)
    };
    Scene { dir, ca, settings }
}

impl Scene {
    /// What the listener makes of a client with this certificate.
    async fn judge(
        &self,
        certificate: Option<&Issued>,
        versions: &'static [&'static rustls::SupportedProtocolVersion],
    ) -> Result<Option<PeerCertificate>, (HandshakeErrorKind, String)> {
        let config = Client {
            roots: &[self.ca.der()],
            certificate,
            versions,
            ..Client::default()
        }
        .config();
        match meet(&build(&self.settings), &config, "localhost")
            .await
            .server
        {
            Ok(stream) => Ok(stream.peer_certificate()),
            Err(error) => Err((error.kind(), error.to_string())),
        }
    }
}

fn leaf(common_name: &str) -> Leaf<'_> {
    Leaf {
        common_name,
        names: &["alice.clients.example"],
        uri: Some("spiffe://example/alice"),
        ..Leaf::default()
    }
}

#[tokio::test]
async fn who_is_let_in() {
    let (required, optional) = (scene(None, true), scene(None, false));
    for versions in [V12, V13] {
        for scene in [&required, &optional] {
            let is_required = std::ptr::eq(scene, &raw const required);
            let good = scene.ca.issue(&leaf("alice"));
            let facts = scene.judge(Some(&good), versions).await.unwrap().unwrap();
            assert_eq!(facts.common_name.as_deref(), Some("alice"));

            match scene.judge(None, versions).await {
                Ok(facts) => assert_eq!((facts, is_required), (None, false)),
                Err((kind, text)) => {
                    assert_eq!(kind, HandshakeErrorKind::NoCertificate);
                    assert!(
                        is_required && text.contains("showed no certificate"),
                        "{text}"
                    );
                }
            }

            // A bad certificate is refused even where none would do.
            let expired = scene.ca.issue(&Leaf {
                valid: (-9 * DAY, -DAY),
                ..leaf("late")
            });
            let early = scene.ca.issue(&Leaf {
                valid: (DAY, 9 * DAY),
                ..leaf("early")
            });
            let foreign = Ca::new("Other CA").issue(&leaf("mallory"));
            for (issued, reason) in [
                (&expired, "it has expired"),
                (&early, "it is not valid yet"),
                (&foreign, "its issuer is not among the CAs of client_auth"),
            ] {
                let (kind, text) = scene.judge(Some(issued), versions).await.unwrap_err();
                assert_eq!(kind, HandshakeErrorKind::BadCertificate, "{text}");
                assert!(text.contains(reason), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_ca_of_the_same_name_with_another_key_does_not_count() {
    let scene = scene(None, true);
    let forged = Ca::new("Test CA").issue(&leaf("mallory"));
    let (kind, text) = scene.judge(Some(&forged), V13).await.unwrap_err();
    assert_eq!(kind, HandshakeErrorKind::BadCertificate, "{text}");
}

#[tokio::test]
async fn the_facts_of_the_certificate() {
    let scene = scene(None, true);
    let issued = scene.ca.issue(&leaf("alice"));
    let facts = scene.judge(Some(&issued), V13).await.unwrap().unwrap();
    assert_eq!(facts.subject, "CN=alice");
    assert!(facts.issuer.contains("CN=Test CA"), "{}", facts.issuer);
    assert_eq!(facts.dns_names, ["alice.clients.example"]);
    assert_eq!(facts.uris, ["spiffe://example/alice"]);
    assert_eq!(facts.der, der(&issued.cert).to_vec());
    assert!(facts.not_before < facts.not_after);

    let path = scene.dir.write("alice.pem", &issued.cert);
    let ask = |what: &str| {
        let arguments = ["x509", "-noout", what, "-in", path.to_str().unwrap()];
        openssl_now(&arguments.map(str::to_owned), "")
            .trim()
            .to_owned()
    };
    let serial = ask("-serial").to_lowercase();
    assert_eq!(format!("serial={}", facts.serial), serial);
    let arguments = [
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        path.to_str().unwrap(),
    ];
    let digest = openssl_now(&arguments.map(str::to_owned), "");
    let digest = digest
        .trim()
        .split_once('=')
        .unwrap()
        .1
        .replace(':', "")
        .to_lowercase();
    assert_eq!(facts.fingerprint.to_string(), digest);
}

#[tokio::test]
async fn revoked_clients_are_refused() {
    let base = scene(None, true);
    let crl = base.ca.revoke(&[13], DAY);
    let (good, revoked) = (
        base.ca.issue(&Leaf {
            serial: 12,
            ..leaf("good")
        }),
        base.ca.issue(&Leaf {
            serial: 13,
            ..leaf("revoked")
        }),
    );
    let mut scene = base;
    let ClientAuth::Required(authority) = &mut scene.settings.client_auth else {
        unreachable!()
    };
    authority.crl = Some(scene.dir.write("clients.crl", crl));
    assert!(scene.judge(Some(&good), V13).await.is_ok());
    let (kind, text) = scene.judge(Some(&revoked), V13).await.unwrap_err();
    assert_eq!(kind, HandshakeErrorKind::BadCertificate);
    assert!(text.contains("it has been revoked"), "{text}");

    // A list past its time goes on counting, with a warning.
    scene.dir.write("clients.crl", scene.ca.revoke(&[13], -DAY));
    let warnings = build(&scene.settings).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].kind, TlsWarningKind::StaleRevocationList);
    assert!(scene.judge(Some(&good), V13).await.is_ok());
    assert!(scene.judge(Some(&revoked), V13).await.is_err());

    // A list of another CA says nothing about ours: refused rather than waved through.
    let other = Ca::new("Other CA").revoke(&[], DAY);
    scene.dir.write("clients.crl", other);
    let (_, text) = scene.judge(Some(&good), V13).await.unwrap_err();
    assert!(
        text.contains("no revocation list is given for its issuer"),
        "{text}"
    );
}
