//! Sessions are resumed across workers and replicas, and never beyond what they stand for.

use std::sync::Arc;

use lintel_tls::{Acceptor, ClientAuth, ClientCa, HandshakeErrorKind, Resumption, ServerSettings};
use rustls::{ClientConfig, HandshakeKind};

use crate::support::*;

/// Whether the client's next handshake resumes the session, as both sides see it.
async fn resumes(acceptor: &Acceptor, config: &Arc<ClientConfig>) -> bool {
    let (mut server, mut client) = meet(acceptor, config, "localhost").await.both();
    greet(&mut server, &mut client).await.unwrap();
    let kind = client.get_ref().1.handshake_kind().unwrap();
    let resumed = kind == HandshakeKind::Resumed;
    assert_eq!(server.tls_info().unwrap().resumed, resumed);
    resumed
}

fn client(
    ca: &Ca,
    versions: &'static [&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    Client {
        roots: &[ca.der()],
        versions,
        ..Client::default()
    }
    .config()
}

#[tokio::test]
async fn both_versions_resume() {
    let (_dir, ca, settings) = simple();
    let acceptor = build(&settings);
    for versions in [V12, V13] {
        let config = client(&ca, versions);
        assert!(!resumes(&acceptor, &config).await);
        assert!(resumes(&acceptor, &config).await);
        assert!(resumes(&acceptor, &config).await);
    }
}

#[tokio::test]
async fn resumption_can_be_turned_off() {
    let (_dir, ca, mut settings) = simple();
    settings.resumption = Resumption::Off;
    let acceptor = build(&settings);
    for versions in [V12, V13] {
        let config = client(&ca, versions);
        assert!(!resumes(&acceptor, &config).await);
        assert!(!resumes(&acceptor, &config).await);
    }
}

#[tokio::test]
async fn replicas_with_one_key_file_resume_each_other_s_sessions() {
    let (dir, ca, mut settings) = simple();
    let key = dir.write("ticket.key", [7; 80]);
    settings.resumption = Resumption::Tickets { keys: vec![key] };
    let (one, two) = (build(&settings), build(&settings));
    settings.resumption = Resumption::default();
    let stranger = build(&settings);
    for versions in [V12, V13] {
        let config = client(&ca, versions);
        assert!(!resumes(&one, &config).await);
        assert!(resumes(&two, &config).await);
        assert!(!resumes(&stranger, &config).await);
    }
}

#[tokio::test]
async fn a_rotated_key_file_goes_on_opening_tickets_until_it_is_dropped() {
    let (dir, ca, mut settings) = simple();
    let (old, new) = (dir.path("old.key"), dir.write("new.key", [8; 80]));
    dir.write("old.key", [7; 80]);
    let with = |keys: &[&std::path::PathBuf]| ServerSettings {
        resumption: Resumption::Tickets {
            keys: keys.iter().map(|key| (*key).clone()).collect(),
        },
        ..settings.clone()
    };
    let before = build(&with(&[&old]));
    let during = build(&with(&[&new, &old]));
    let after = build(&with(&[&new]));
    settings.resumption = Resumption::Off;
    let config = client(&ca, V13);
    assert!(!resumes(&before, &config).await);
    assert!(resumes(&during, &config).await);
    assert!(resumes(&after, &config).await);
    let config = client(&ca, V13);
    assert!(!resumes(&before, &config).await);
    assert!(!resumes(&after, &config).await);
}

#[tokio::test]
async fn a_reload_of_certificates_keeps_sessions() {
    let (dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let config = client(&ca, V13);
    assert!(!resumes(&acceptor, &config).await);
    store(&dir, "server", &ca.issue(&Leaf::default()));
    assert_eq!(acceptor.reload(), Ok(true));
    assert!(resumes(&acceptor, &config).await);
}

/// A listener that requires client certificates of `ca`, and such a client.
fn mutual() -> (Dir, Ca, ServerSettings, Issued) {
    let (dir, ca, mut settings) = simple();
    let authority = dir.write("clients.pem", &ca.pem);
    let crl = dir.write("clients.crl", ca.revoke(&[1], DAY));
    settings.client_auth = ClientAuth::Required(ClientCa {
        ca: authority,
        crl: Some(crl),
    });
    let alice = ca.issue(&Leaf {
        common_name: "alice",
        serial: 100,
        ..Leaf::default()
    });
    (dir, ca, settings, alice)
}

fn alice_s(ca: &Ca, alice: &Issued) -> Arc<ClientConfig> {
    Client {
        roots: &[ca.der()],
        certificate: Some(alice),
        versions: V13,
        ..Client::default()
    }
    .config()
}

#[tokio::test]
async fn a_resumed_session_keeps_the_client_s_identity() {
    let (_dir, ca, settings, alice) = mutual();
    let acceptor = build(&settings);
    let config = alice_s(&ca, &alice);
    assert!(!resumes(&acceptor, &config).await);
    let (server, _client) = meet(&acceptor, &config, "localhost").await.both();
    assert!(server.tls_info().unwrap().resumed);
    assert_eq!(
        server.peer_certificate().unwrap().common_name.as_deref(),
        Some("alice")
    );
}

#[tokio::test]
async fn a_client_revoked_since_cannot_resume() {
    let (dir, ca, settings, alice) = mutual();
    let acceptor = build(&settings);
    let config = alice_s(&ca, &alice);
    assert!(!resumes(&acceptor, &config).await);
    assert!(resumes(&acceptor, &config).await);
    dir.write("clients.crl", ca.revoke(&[100], DAY));
    assert_eq!(acceptor.reload(), Ok(true));
    let error = meet(&acceptor, &config, "localhost")
        .await
        .server
        .unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::BadCertificate, "{error}");
    assert!(error.to_string().contains("revoked"), "{error}");
}

#[tokio::test]
async fn openssl_resumes_with_a_stored_session() {
    let (dir, ca, settings) = simple();
    let address = answering(Arc::new(build(&settings))).await;
    let ca = dir.write("ca.pem", &ca.pem);
    for version in ["-tls1_2", "-tls1_3"] {
        let session = dir.path(version);
        let session = session.to_str().unwrap();
        let fixed = ["-servername", "localhost", "-ign_eof", version];
        let first = [&fixed[..], &["-sess_out", session]].concat();
        let text = openssl(s_client(address, &ca, &first), "hi\n").await;
        assert!(text.contains("New, TLSv1."), "{text}");
        assert!(text.contains("served"), "{text}");
        let second = [&fixed[..], &["-sess_in", session]].concat();
        let text = openssl(s_client(address, &ca, &second), "hi\n").await;
        assert!(text.contains("Reused, TLSv1."), "{text}");
    }
}

#[tokio::test]
async fn a_client_without_ticket_support_resumes_by_session_id() {
    let (dir, ca, settings) = simple();
    let address = answering(Arc::new(build(&settings))).await;
    let ca = dir.write("ca.pem", &ca.pem);
    let session = dir.path("session");
    let session = session.to_str().unwrap();
    let fixed = [
        "-servername",
        "localhost",
        "-ign_eof",
        "-tls1_2",
        "-no_ticket",
    ];
    let first = [&fixed[..], &["-sess_out", session]].concat();
    openssl(s_client(address, &ca, &first), "hi\n").await;
    let second = [&fixed[..], &["-sess_in", session]].concat();
    let text = openssl(s_client(address, &ca, &second), "hi\n").await;
    assert!(text.contains("Reused, TLSv1.2"), "{text}");
}
