//! Key material is replaced under live connections, all or nothing.

use std::sync::Arc;

use lintel_tls::{ClientAuth, ClientCa, HandshakeErrorKind, TlsWarningKind};

use crate::support::*;

#[tokio::test]
async fn new_handshakes_get_the_new_certificate_and_old_connections_live_on() {
    let (dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    let (mut old_server, mut old_client) = meet(&acceptor, &config, "localhost").await.both();
    assert_eq!(acceptor.reload(), Ok(false));

    let renewed = ca.issue(&Leaf {
        names: &["localhost", "new.example"],
        ..Leaf::default()
    });
    store(&dir, "server", &renewed);
    assert!(!acceptor.covers("new.example"));
    assert_eq!(acceptor.reload(), Ok(true));
    assert_eq!(acceptor.reload(), Ok(false));
    assert!(acceptor.covers("new.example"));

    let (mut server, mut client) = meet(&acceptor, &config, "new.example").await.both();
    assert_eq!(shown(&client), der(&renewed.cert));
    greet(&mut server, &mut client).await.unwrap();
    greet(&mut old_server, &mut old_client).await.unwrap();
    assert_ne!(shown(&old_client), der(&renewed.cert));
}

#[tokio::test]
async fn a_half_done_renewal_keeps_the_old_pair_until_it_is_whole() {
    let (dir, ca, settings) = simple();
    let acceptor = build(&settings);
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    let before = shown(&meet(&acceptor, &config, "localhost").await.both().1);
    let renewed = ca.issue(&Leaf::default());

    dir.write("server.pem", &renewed.cert);
    let errors = acceptor.reload().unwrap_err();
    insta::assert_snapshot!(text(&dir, &errors), @"DIR/server.key: the private key does not belong to the certificate in DIR/server.pem; use the key that the certificate was issued for; during a renewal, replace both files before the reload");
    assert_eq!(
        shown(&meet(&acceptor, &config, "localhost").await.both().1),
        before
    );

    dir.write("server.key", &renewed.key);
    assert_eq!(acceptor.reload(), Ok(true));
    let after = shown(&meet(&acceptor, &config, "localhost").await.both().1);
    assert_eq!(after, der(&renewed.cert));
}

#[tokio::test]
async fn a_file_that_goes_away_changes_nothing_but_the_report() {
    let (dir, ca, settings) = simple();
    let acceptor = build(&settings);
    std::fs::remove_file(dir.path("server.key")).unwrap();
    let errors = acceptor.reload().unwrap_err();
    assert_eq!(errors[0].problem, "the file does not exist");
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    meet(&acceptor, &config, "localhost").await.both();
}

#[tokio::test]
async fn handshakes_go_on_during_many_reloads() {
    let (dir, ca, settings) = simple();
    let acceptor = Arc::new(build(&settings));
    let config = Client {
        roots: &[ca.der()],
        ..Client::default()
    }
    .config();
    let pairs: Vec<Issued> = (0..4).map(|_| ca.issue(&Leaf::default())).collect();
    let reloading = {
        let acceptor = Arc::clone(&acceptor);
        tokio::task::spawn_blocking(move || {
            for round in 0..40 {
                store(&dir, "server", &pairs[round % pairs.len()]);
                assert_eq!(acceptor.reload(), Ok(true));
            }
        })
    };
    let mut handshakes = 0;
    while !reloading.is_finished() || handshakes == 0 {
        let (mut server, mut client) = meet(&acceptor, &config, "localhost").await.both();
        greet(&mut server, &mut client).await.unwrap();
        handshakes += 1;
    }
    reloading.await.unwrap();
}

#[tokio::test]
async fn the_client_ca_is_replaced_too() {
    let (dir, ca, mut settings) = simple();
    settings.client_auth = ClientAuth::Required(ClientCa {
        ca: dir.write("clients.pem", &ca.pem),
        crl: None,
    });
    let acceptor = build(&settings);
    let alice = ca.issue(&Leaf::default());
    let config = Client {
        roots: &[ca.der()],
        certificate: Some(&alice),
        ..Client::default()
    }
    .config();
    let (mut server, mut client) = meet(&acceptor, &config, "localhost").await.both();
    greet(&mut server, &mut client).await.unwrap();
    dir.write("clients.pem", Ca::new("Next CA").pem);
    assert_eq!(acceptor.reload(), Ok(true));
    // Neither by showing the certificate again nor by resuming the session.
    let error = meet(&acceptor, &config, "localhost")
        .await
        .server
        .unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::BadCertificate, "{error}");
}

#[test]
fn every_file_is_named_for_watching() {
    let (dir, ca, mut settings) = simple();
    settings.client_auth = ClientAuth::Optional(ClientCa {
        ca: dir.write("clients.pem", &ca.pem),
        crl: Some(dir.write("clients.crl", ca.revoke(&[], DAY))),
    });
    settings.resumption = lintel_tls::Resumption::Tickets {
        keys: vec![dir.write("ticket.key", [1; 80])],
    };
    let mut files = build(&settings).files();
    files.sort();
    let expected = [
        "clients.crl",
        "clients.pem",
        "server.key",
        "server.pem",
        "ticket.key",
    ];
    assert_eq!(files, expected.map(|name| dir.path(name)));
}

#[test]
fn warnings_follow_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, ca, settings) = simple();
    let acceptor = build(&settings);
    assert_eq!(acceptor.warnings(), []);
    let key = dir.path("server.key");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&key, open).unwrap();
    assert_eq!(acceptor.reload(), Ok(true));
    let kinds = |acceptor: &lintel_tls::Acceptor| -> Vec<TlsWarningKind> {
        acceptor
            .warnings()
            .iter()
            .map(|warning| warning.kind)
            .collect()
    };
    assert_eq!(kinds(&acceptor), [TlsWarningKind::KeyReadableByAll]);
    let soon = ca.issue(&Leaf {
        valid: (-DAY, 5 * DAY),
        ..Leaf::default()
    });
    store(&dir, "server", &soon);
    assert_eq!(acceptor.reload(), Ok(true));
    assert_eq!(kinds(&acceptor), [TlsWarningKind::ExpiresSoon]);
}
