//! TLS to a server, with its certificate and one of our own.

use std::{fs, path::Path};

use lintel_state::store::{At, Meaning, Redis, Settings, Unavailable};
use lintel_tls::{ClientCertificate, ClientSettings, Roots};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::server::{HOUR, PATIENT, Place as _, Server, admitted, ask, settings};

/// Files: `ca.pem`, and `server` and `client` with `.pem` and `.key`.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    // A certificate whose subject is its issuer is taken for self-signed.
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    for (name, host) in [("server", "127.0.0.1"), ("client", "gateway")] {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        write(
            &format!("{name}.pem"),
            params.signed_by(&key, &issuer).unwrap().pem(),
        );
        write(&format!("{name}.key"), key.serialize_pem());
    }
    folder
}

fn trusting(folder: &Path, identified: bool) -> ClientSettings {
    ClientSettings {
        roots: Roots::File(folder.join("ca.pem")),
        client_certificate: identified.then(|| ClientCertificate {
            cert: folder.join("client.pem"),
            key: folder.join("client.key"),
        }),
        ..ClientSettings::default()
    }
}

#[tokio::test]
async fn limits_are_counted_over_tls() {
    let (folder, others) = (certificates(), certificates());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // Plain beside it, for `redis-cli`.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = Server::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
    ]);
    let with = |tls| {
        let at = At::Server(format!("127.0.0.1:{port}").parse().unwrap());
        let tls = Some(tls);
        Redis::new(Settings {
            tls,
            ..settings(at, PATIENT)
        })
        .unwrap()
    };
    let asks = [ask("a", Meaning::TokenBucket, 50, 24 * HOUR, 50)];
    let store = with(trusting(folder.path(), true));
    assert_eq!(admitted(&store, &asks, 80).await, 50);
    assert_eq!(store.files().len(), 3);
    assert!(store.reload().is_ok());

    // Without the certificate that it wants, and with a CA that did not issue its own.
    let nobody = with(trusting(folder.path(), false));
    assert_eq!(nobody.spend(&asks).await, Err(Unavailable));
    let stranger = with(trusting(others.path(), false));
    assert_eq!(stranger.spend(&asks).await, Err(Unavailable));
    // No TLS where it is spoken.
    let plain = At::Server(format!("127.0.0.1:{port}").parse().unwrap());
    let plain = Redis::new(settings(plain, std::time::Duration::from_secs(1))).unwrap();
    assert_eq!(plain.spend(&asks).await, Err(Unavailable));

    let missing = Settings {
        tls: Some(trusting(Path::new("nowhere"), true)),
        ..settings(At::Server(server.address()), PATIENT)
    };
    let faults = Redis::new(missing).err().unwrap();
    assert!(
        faults.iter().any(|fault| fault.contains("ca.pem")),
        "{faults:?}"
    );
}
