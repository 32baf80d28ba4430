//! What is said about files that cannot be used, to the letter.

use std::os::unix::fs::PermissionsExt;

use lintel_tls::{
    Acceptor, CertificateSource, CipherPolicy, ClientAuth, ClientCa, ClientCertificate,
    ClientSettings, Connector, Resumption, Roots, ServerSettings, TlsVersion,
};

use crate::support::*;

struct Table {
    dir: Dir,
    good: ServerSettings,
    report: String,
}

impl Table {
    /// Adds what a listener says whose certificate and key files have this content.
    fn pair(&mut self, what: &str, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) {
        let settings = ServerSettings {
            certificates: vec![CertificateSource {
                cert: self.dir.write("c.pem", cert),
                key: self.dir.write("c.key", key),
                ocsp: None,
            }],
            ..ServerSettings::default()
        };
        self.settings(what, &settings);
    }

    fn with(&mut self, what: &str, change: impl FnOnce(&Dir, &mut ServerSettings)) {
        let mut settings = self.good.clone();
        change(&self.dir, &mut settings);
        self.settings(what, &settings);
    }

    fn settings(&mut self, what: &str, settings: &ServerSettings) {
        let Err(errors) = Acceptor::build(settings) else {
            panic!("{what}: accepted");
        };
        self.add(what, &errors);
    }

    fn add(&mut self, what: &str, errors: &[lintel_tls::TlsError]) {
        self.report += &format!("{what}\n");
        for error in errors {
            let file = error
                .file
                .as_ref()
                .map_or(String::new(), |file| format!("{}: ", file.display()));
            let text = format!("  {file}{}\n    help: {}\n", error.problem, error.help);
            self.report += &self.dir.anonymous(&text);
        }
    }

    /// Runs openssl in the folder.
    fn openssl(&self, arguments: &str) {
        let arguments: Vec<String> = arguments
            .split(' ')
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.dir.path(name).to_str().unwrap().to_owned(),
                None => word.to_owned(),
            })
            .collect();
        let output = openssl_now(&arguments, "");
        assert!(
            !output.to_lowercase().contains("error"),
            "{arguments:?}: {output}"
        );
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path(name)).unwrap()
    }
}

fn table() -> (Table, Ca, Issued) {
    let (dir, ca, good) = simple();
    let leaf = ca.issue(&Leaf::default());
    let table = Table {
        dir,
        good,
        report: String::new(),
    };
    (table, ca, leaf)
}

#[test]
fn certificates_and_keys() {
    let (mut table, ca, leaf) = table();
    let (cert, key) = (&leaf.cert, &leaf.key);
    table.with("missing files", |dir, settings| {
        settings.certificates[0].cert = dir.path("absent.pem");
        settings.certificates[0].key = dir.path("absent.key");
    });
    table.with("a folder", |dir, settings| {
        settings.certificates[0].cert = dir.path("");
    });
    table.pair("empty files", "", "");
    table.pair("swapped", key, cert);
    table.pair("no PEM", "hello", "hello");
    table.pair(
        "a request",
        cert.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        key,
    );
    table.pair("cut short", &cert[..cert.len() / 2], &key[..key.len() / 2]);
    let garbled = cert.replace('M', "*");
    table.pair("not base64", garbled, key);
    table.pair(
        "a malformed BEGIN line",
        cert.replace("CERTIFICATE-----\nMII", "CERTIFICATE---\nMII"),
        key,
    );
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    table.pair("not a certificate inside", junk, key);
    table.pair("a broken second certificate", format!("{cert}{junk}"), key);
    let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    table.pair("not a key inside", cert, junk);
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    table.pair("an SSH key", cert, ssh);
    let other = ca.issue(&Leaf::default());
    table.pair("another's key", cert, &other.key);
    table.pair("the chain upside down", format!("{}{cert}", ca.pem), key);
    table.pair("everything at once", "", ssh);
    insta::assert_snapshot!(table.report);
}

#[test]
fn formats_and_algorithms() {
    let (mut table, _ca, leaf) = table();
    table.dir.write("leaf.pem", &leaf.cert);
    table.dir.write("leaf.key", &leaf.key);
    table.openssl("x509 -in @leaf.pem -outform der -out @leaf.der");
    table.openssl("pkey -in @leaf.key -outform der -out @key.der");
    table.openssl("pkey -in @leaf.key -aes256 -passout pass:x -out @encrypted.key");
    table.openssl("ec -in @leaf.key -aes256 -passout pass:x -out @legacy.key");
    let cert = leaf.cert.clone();
    let der = table.bytes("leaf.der");
    table.pair("DER", der, table.bytes("key.der"));
    let encrypted = table.bytes("encrypted.key");
    table.pair("an encrypted key", &cert, encrypted);
    let encrypted = table.bytes("legacy.key");
    table.pair("an encrypted key, old style", &cert, encrypted);
    let request = "-x509 -nodes -days 30 -subj /CN=localhost -keyout @x.key -out @x.pem";
    for (what, arguments) in [
        (
            "secp256k1",
            "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1",
        ),
        (
            "brainpool",
            "-newkey ec -pkeyopt ec_paramgen_curve:brainpoolP256r1",
        ),
        ("small RSA", "-newkey rsa:1024"),
        ("Ed448", "-newkey ed448"),
    ] {
        let arguments = format!("req {arguments} {request}");
        let words: Vec<String> = arguments
            .split(' ')
            .map(|word| match word.strip_prefix('@') {
                Some(name) => table.dir.path(name).to_str().unwrap().to_owned(),
                None => word.to_owned(),
            })
            .collect();
        openssl_now(&words, "");
        let (cert, key) = (table.bytes("x.pem"), table.bytes("x.key"));
        table.pair(what, cert, key);
    }
    // SEC 1, the other encoding of EC keys.
    table.openssl("ecparam -name secp256k1 -genkey -noout -out @sec1.key");
    let sec1 = table.bytes("sec1.key");
    table.pair("secp256k1 in SEC 1", &cert, sec1);
    insta::assert_snapshot!(table.report);
}

#[test]
fn every_encoding_of_a_key_that_works() {
    let (table, _ca, leaf) = table();
    table.dir.write("leaf.key", &leaf.key);
    table.openssl("ec -in @leaf.key -out @sec1.key");
    let sec1 = table.bytes("sec1.key");
    assert!(sec1.starts_with(b"-----BEGIN EC PRIVATE KEY"));
    for key in [leaf.key.clone().into_bytes(), sec1] {
        let source = CertificateSource {
            cert: table.dir.write("c.pem", &leaf.cert),
            key: table.dir.write("c.key", key),
            ocsp: None,
        };
        build(&ServerSettings {
            certificates: vec![source],
            ..ServerSettings::default()
        });
    }
}

#[test]
fn companions_and_settings() {
    let (mut table, ca, leaf) = table();
    let required = |dir: &Dir, ca: &str, crl: Option<&str>| {
        ClientAuth::Required(ClientCa {
            ca: dir.write("ca.pem", ca),
            crl: crl.map(|crl| dir.write("ca.crl", crl)),
        })
    };
    table.with("a client CA without a certificate", |dir, settings| {
        settings.client_auth = required(dir, &leaf.key, None);
    });
    table.with("a client CA that is no certificate", |dir, settings| {
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        settings.client_auth = required(dir, junk, None);
    });
    table.with("a CRL that is a certificate", |dir, settings| {
        settings.client_auth = required(dir, &ca.pem, Some(&ca.pem));
    });
    table.with("a CRL that cannot be parsed", |dir, settings| {
        let junk = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
        settings.client_auth = required(dir, &ca.pem, Some(junk));
    });
    table.with("a staple that is none", |dir, settings| {
        settings.certificates[0].ocsp = Some(dir.write("ocsp.der", b"0\x03\x02\x01\x00"));
    });
    table.with("a staple in PEM", |dir, settings| {
        settings.certificates[0].ocsp = Some(dir.write("ocsp.der", &leaf.cert));
    });
    table.with("an unsuccessful OCSP response", |dir, settings| {
        settings.certificates[0].ocsp = Some(dir.write("ocsp.der", b"0\x03\x0a\x01\x06"));
    });
    table.with("a ticket key of the wrong length", |dir, settings| {
        settings.resumption = Resumption::Tickets {
            keys: vec![dir.write("ticket.key", [0; 48])],
        };
    });
    table.with("no certificate", |_, settings| {
        settings.certificates.clear()
    });
    table.with("no such default", |_, settings| {
        settings.default_certificate = 1
    });
    table.with("no version left", |_, settings| {
        settings.ciphers = CipherPolicy::Modern;
        settings.max_version = TlsVersion::V1_2;
    });
    insta::assert_snapshot!(table.report);
}

#[test]
fn connectors() {
    let (mut table, ca, leaf) = table();
    let good = ClientSettings {
        roots: Roots::File(table.dir.write("ca.pem", &ca.pem)),
        ..ClientSettings::default()
    };
    let bad = [
        (
            "roots missing",
            ClientSettings {
                roots: Roots::File(table.dir.path("absent.pem")),
                ..good.clone()
            },
        ),
        (
            "roots without a certificate, and an impossible name",
            ClientSettings {
                roots: Roots::SystemAndFile(table.dir.write("key.pem", &leaf.key)),
                server_name: Some("not a name".to_owned()),
                ..good.clone()
            },
        ),
        (
            "a client certificate with another's key",
            ClientSettings {
                client_certificate: Some(ClientCertificate {
                    cert: table.dir.write("c.pem", &leaf.cert),
                    key: table.dir.write("c.key", &ca.issue(&Leaf::default()).key),
                }),
                ..good
            },
        ),
    ];
    for (what, settings) in bad {
        let Err(errors) = Connector::build(&settings) else {
            panic!("{what}: accepted");
        };
        table.add(what, &errors);
    }
    insta::assert_snapshot!(table.report);
}

#[test]
fn warnings_about_what_works() {
    let (dir, ca) = (Dir::new(), Ca::new("CA"));
    let other = Ca::new("Other CA");
    let mut settings = ServerSettings::default();
    let mut add = |name: &str, leaf: Leaf<'_>, after: &str| {
        let issued = ca.issue(&leaf);
        let chained = Issued {
            cert: issued.cert + after,
            key: issued.key,
        };
        settings.certificates.push(store(&dir, name, &chained));
    };
    let named = |names| Leaf {
        names,
        ..Leaf::default()
    };
    add("open", named(&["open.example"]), "");
    add("nameless", named(&[]), "");
    add("chain", named(&["chain.example"]), &other.pem);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(dir.path("open.key"), open).unwrap();
    let acceptor = build(&settings);
    let warnings: Vec<String> = acceptor
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(dir.anonymous(&warnings.join("\n")));
}

#[test]
fn an_expired_certificate_is_a_warning_with_its_date() {
    let (dir, ca) = (Dir::new(), Ca::new("CA"));
    let settings = ServerSettings {
        certificates: vec![store(
            &dir,
            "old",
            &ca.issue(&Leaf {
                valid: (-9 * DAY, -DAY),
                ..Leaf::default()
            }),
        )],
        ..ServerSettings::default()
    };
    let warnings = build(&settings).warnings();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].kind, lintel_tls::TlsWarningKind::Expired);
    let cert = dir.path("old.pem");
    let arguments = ["x509", "-noout", "-enddate", "-in", cert.to_str().unwrap()];
    let end = openssl_now(&arguments.map(str::to_owned), "");
    // `notAfter=Jan  2 03:04:05 2026 GMT` against `Jan  2 03:04:05 2026 +00:00`.
    let date = end
        .trim()
        .trim_start_matches("notAfter=")
        .trim_end_matches(" GMT");
    assert!(
        warnings[0].problem.contains(date),
        "{date}: {}",
        warnings[0].problem
    );
}
