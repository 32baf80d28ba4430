//! Which certificate, version and protocol a client gets.

use std::sync::Arc;

use lintel_tls::{
    Alpn, CipherPolicy, HandshakeErrorKind, ServerSettings, TlsVersion, TlsWarningKind,
    UnmatchedName,
};
use rustls::SignatureScheme;

use crate::support::*;

/// Settings with one certificate for each of these sets of names and algorithms.
fn settings(
    dir: &Dir,
    ca: &Ca,
    leaves: &[(&[&str], &'static rcgen::SignatureAlgorithm)],
) -> (
    ServerSettings,
    Vec<rustls_pki_types::CertificateDer<'static>>,
) {
    let mut settings = ServerSettings::default();
    let mut ders = Vec::new();
    for (index, (names, algorithm)) in leaves.iter().enumerate() {
        let issued = ca.issue(&Leaf {
            names,
            algorithm,
            ..Leaf::default()
        });
        ders.push(der(&issued.cert));
        settings
            .certificates
            .push(store(dir, &format!("c{index}"), &issued));
    }
    (settings, ders)
}

#[tokio::test]
async fn the_name_asked_for_selects_the_certificate() {
    let (dir, ca) = (Dir::new(), Ca::new("CA"));
    let (settings, ders) = settings(
        &dir,
        &ca,
        &[
            (&["default.example", "other.example"], P256),
            (&["*.example.com"], P256),
            (&["api.example.com", "API2.Example.COM"], P256),
            (&["example.com"], P256),
            (&["*.deep.example.com"], P256),
        ],
    );
    let acceptor = build(&settings);
    let roots = [ca.der()];
    // A client that takes any certificate would hide a wrong one; this one verifies the name
    // unless the table says that the default is shown to it.
    let table = [
        ("default.example", Some(0)),
        ("other.example", Some(0)),
        ("www.example.com", Some(1)),
        ("WWW.EXAMPLE.com", Some(1)),
        ("api.example.com", Some(2)),
        ("api2.example.com", Some(2)),
        ("example.com", Some(3)),
        ("x.deep.example.com", Some(4)),
        ("deep.example.com", Some(1)),
        ("a.b.example.com", None),
        ("example.org", None),
    ];
    let config = Client {
        roots: &roots,
        ..Client::default()
    }
    .config();
    for (name, expected) in table {
        assert_eq!(acceptor.covers(name), expected.is_some(), "{name}");
        let met = meet(&acceptor, &config, name).await;
        match expected {
            Some(index) => {
                let (mut server, mut client) = met.both();
                greet(&mut server, &mut client).await.unwrap();
                assert_eq!(shown(&client), ders[index], "{name}");
                let lower = name.to_ascii_lowercase();
                assert_eq!(server.tls_info().unwrap().sni, Some(&*lower));
            }
            None => {
                let refused = met.client.unwrap_err().to_string();
                assert!(refused.contains("default.example"), "{name}: {refused}");
                let error = met.server.unwrap_err();
                assert_eq!(error.kind(), HandshakeErrorKind::Alert, "{error}");
                assert_eq!(error.sni(), Some(name));
            }
        }
    }
}

#[tokio::test]
async fn a_client_without_a_name_gets_the_default() {
    let (dir, ca) = (Dir::new(), Ca::new("CA"));
    let (mut settings, ders) = settings(
        &dir,
        &ca,
        &[(&["a.example"], P256), (&["127.0.0.1", "b.example"], P256)],
    );
    settings.default_certificate = 1;
    let acceptor = build(&settings);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    // No SNI is sent for an IP address (RFC 6066 §3).
    let (server, client) = meet(&acceptor, &config, "127.0.0.1").await.both();
    assert_eq!(shown(&client), ders[1]);
    assert_eq!(server.tls_info().unwrap().sni, None);
}

#[tokio::test]
async fn a_strict_listener_refuses_unknown_names_by_the_right_alert() {
    let (dir, ca, mut settings) = simple();
    settings.unmatched_name = UnmatchedName::Refuse;
    let acceptor = Arc::new(build(&settings));
    for versions in [V12, V13] {
        let config = Client {
            roots: &[ca.der()],
            versions,
            ..Client::default()
        }
        .config();
        let met = meet(&acceptor, &config, "elsewhere.example").await;
        let client = met.client.unwrap_err().to_string();
        assert!(client.contains("UnrecognisedName"), "{client}");
        let error = met.server.unwrap_err();
        assert_eq!(error.kind(), HandshakeErrorKind::UnknownName);
        assert_eq!(error.sni(), Some("elsewhere.example"));

        let met = meet(&acceptor, &config, "127.0.0.1").await;
        let client = met.client.unwrap_err().to_string();
        assert!(client.contains("MissingExtension"), "{client}");
        assert_eq!(
            met.server.unwrap_err().kind(),
            HandshakeErrorKind::UnknownName
        );

        meet(&acceptor, &config, "localhost").await.both();
    }
    let address = answering(acceptor).await;
    let ca = dir.write("ca.pem", &ca.pem);
    let text = openssl(
        s_client(address, &ca, &["-servername", "elsewhere.example"]),
        "hi\n",
    )
    .await;
    assert!(text.contains("unrecognized name"), "{text}");
}

#[tokio::test]
async fn rsa_and_ecdsa_side_by_side_by_what_the_client_accepts() {
    const RSA_ONLY: &[SignatureScheme] = &[
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PKCS1_SHA256,
    ];
    const ECDSA_ONLY: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];
    const ED25519_ONLY: &[SignatureScheme] = &[SignatureScheme::ED25519];
    let dir = Dir::new();
    // Each chain uses one algorithm throughout, as a client restricted to it demands.
    let (rsa, ecdsa) = (self_signed(RSA), self_signed(P256));
    let roots = [der(&rsa.cert), der(&ecdsa.cert)];
    let mut settings = ServerSettings::default();
    settings.certificates.push(store(&dir, "rsa", &rsa));
    settings.certificates.push(store(&dir, "ecdsa", &ecdsa));
    let acceptor = build(&settings);
    assert_eq!(acceptor.warnings(), []);
    let table = [
        (None, Some(1)),
        (Some(ECDSA_ONLY), Some(1)),
        (Some(RSA_ONLY), Some(0)),
        (Some(ED25519_ONLY), None),
    ];
    for versions in [V12, V13] {
        for (schemes, expected) in table {
            let config = Client {
                roots: &roots,
                schemes,
                versions,
                ..Client::default()
            }
            .config();
            let met = meet(&acceptor, &config, "localhost").await;
            match expected {
                Some(index) => assert_eq!(shown(&met.both().1), roots[index], "{schemes:?}"),
                None => {
                    let error = met.server.unwrap_err();
                    let kind = HandshakeErrorKind::NoCommonParameters;
                    assert_eq!(error.kind(), kind, "{error}");
                }
            }
        }
    }
}

fn self_signed(algorithm: &'static rcgen::SignatureAlgorithm) -> Issued {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    Issued {
        cert: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

#[tokio::test]
async fn openssl_clients_choose_between_rsa_and_ecdsa() {
    let (dir, ca) = (Dir::new(), Ca::new("CA"));
    let (settings, _) = settings(&dir, &ca, &[(&["localhost"], RSA), (&["localhost"], P256)]);
    let address = answering(Arc::new(build(&settings))).await;
    let ca = dir.write("ca.pem", &ca.pem);
    let table = [
        (&["-tls1_3"][..], "ECDSA"),
        (
            &["-tls1_3", "-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA256"],
            "ECDSA",
        ),
        (&["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"),
        (&["-tls1_2"], "ECDSA"),
        // A cipher suite of TLS 1.2 names the key type too.
        (
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
            "RSA",
        ),
        (&["-tls1_2", "-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"),
    ];
    for (arguments, expected) in table {
        let arguments = [&["-servername", "localhost", "-ign_eof"], arguments].concat();
        let text = openssl(s_client(address, &ca, &arguments), "hi\n").await;
        // `-sigalgs RSA-PSS` also rules out the CA's ECDSA signature, but OpenSSL only checks the
        // handshake's signature against the list.
        let line = text
            .lines()
            .find(|line| line.starts_with("Peer signature type"));
        let found = line.unwrap_or_else(|| panic!("{arguments:?}: {text}"));
        assert!(found.contains(expected), "{arguments:?}: {found}");
    }
}

#[tokio::test]
async fn every_supported_key_type_serves() {
    for algorithm in [P256, P384, &rcgen::PKCS_ECDSA_P521_SHA512, ED25519, RSA] {
        let (dir, ca) = (Dir::new(), Ca::new("CA"));
        let (settings, _) = settings(&dir, &ca, &[(&["localhost"], algorithm)]);
        let config = Client {
            roots: &[ca.der()],
            ..Client::default()
        }
        .config();
        let (mut server, mut client) = meet(&build(&settings), &config, "localhost").await.both();
        greet(&mut server, &mut client).await.unwrap();
    }
}

#[tokio::test]
async fn versions_and_ciphers() {
    let (_dir, ca, base) = simple();
    let roots = [ca.der()];
    let (both, old, new) = (rustls::ALL_VERSIONS, V12, V13);
    let modern = ServerSettings {
        ciphers: CipherPolicy::Modern,
        ..base.clone()
    };
    let capped = ServerSettings {
        max_version: TlsVersion::V1_2,
        ..base.clone()
    };
    let floored = ServerSettings {
        min_version: TlsVersion::V1_3,
        ..base.clone()
    };
    let table = [
        (&base, both, Ok(TlsVersion::V1_3)),
        (&base, old, Ok(TlsVersion::V1_2)),
        (&base, new, Ok(TlsVersion::V1_3)),
        (&modern, both, Ok(TlsVersion::V1_3)),
        (&modern, old, Err(HandshakeErrorKind::NoCommonParameters)),
        (&floored, old, Err(HandshakeErrorKind::NoCommonParameters)),
        (&capped, both, Ok(TlsVersion::V1_2)),
        (&capped, new, Err(HandshakeErrorKind::NoCommonParameters)),
    ];
    for (row, (settings, versions, expected)) in table.into_iter().enumerate() {
        let config = Client {
            roots: &roots,
            versions,
            ..Client::default()
        }
        .config();
        let met = meet(&build(settings), &config, "localhost").await;
        match (expected, met.server) {
            (Ok(version), Ok(stream)) => {
                let info = stream.tls_info().unwrap();
                assert_eq!(info.version, version, "row {row}");
                assert!(info.cipher.starts_with("TLS_"), "{}", info.cipher);
            }
            (Err(kind), Err(error)) => assert_eq!(error.kind(), kind, "row {row}: {error}"),
            (expected, got) => panic!("row {row}: {expected:?}, {got:?}"),
        }
    }
}

#[tokio::test]
async fn alpn_goes_by_the_listener_s_preference() {
    let (_dir, ca, mut settings) = simple();
    let roots = [ca.der()];
    let h2_first = build(&settings);
    settings.alpn = vec![Alpn::Http1];
    let http1_only = build(&settings);
    settings.alpn = vec![];
    let none = build(&settings);
    let table = [
        (&h2_first, &["http/1.1", "h2"][..], Ok(Some(Alpn::H2))),
        (&h2_first, &["http/1.1"], Ok(Some(Alpn::Http1))),
        (&h2_first, &[], Ok(None)),
        (
            &h2_first,
            &["spdy/3"],
            Err(HandshakeErrorKind::NoCommonAlpn),
        ),
        (&http1_only, &["h2", "http/1.1"], Ok(Some(Alpn::Http1))),
        (&http1_only, &["h2"], Err(HandshakeErrorKind::NoCommonAlpn)),
        (&none, &["h2"], Ok(None)),
    ];
    for (row, (acceptor, alpn, expected)) in table.into_iter().enumerate() {
        let config = Client {
            roots: &roots,
            alpn,
            ..Client::default()
        }
        .config();
        let server = meet(acceptor, &config, "localhost").await.server;
        match (expected, server) {
            (Ok(alpn), Ok(stream)) => {
                assert_eq!(stream.tls_info().unwrap().alpn, alpn, "row {row}");
            }
            (Err(kind), Err(error)) => assert_eq!(error.kind(), kind, "row {row}: {error}"),
            (expected, got) => panic!("row {row}: {expected:?}, {got:?}"),
        }
    }
}

#[test]
fn two_certificates_of_one_kind_for_one_name_deserve_a_warning() {
    let (dir, ca) = (Dir::new(), Ca::new("CA"));
    let (settings, _) = settings(
        &dir,
        &ca,
        &[(&["a.example"], P256), (&["a.example", "b.example"], P384)],
    );
    let acceptor = build(&settings);
    let warnings = acceptor.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].kind, TlsWarningKind::DuplicateName);
    assert_eq!(warnings[0].file.as_deref(), Some(&*dir.path("c1.pem")));
    assert!(warnings[0].problem.contains("a.example"));
}
