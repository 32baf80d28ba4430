//! OCSP stapling.

use std::path::PathBuf;
use std::sync::Arc;

use lintel_tls::{Acceptor, ServerSettings, TlsWarningKind};

use crate::support::*;

/// A listener's settings, and what OpenSSL needs to answer as its CA's OCSP responder.
struct Scene {
    dir: Dir,
    ca: Ca,
    settings: ServerSettings,
}

fn scene() -> Scene {
    let (dir, ca, settings) = simple();
    dir.write("ca.pem", &ca.pem);
    dir.write("ca.key", ca.key_pem());
    Scene { dir, ca, settings }
}

impl Scene {
    fn path(&self, name: &str) -> String {
        self.dir.path(name).to_str().unwrap().to_owned()
    }

    /// Has OpenSSL answer for a certificate with the status in its database, valid for this time.
    fn respond(&self, cert: &str, serial: u64, status: &str, validity: &[&str]) -> PathBuf {
        let serial = format!("{serial:04X}");
        let revoked = if status == "R" { "240101000000Z" } else { "" };
        let entry = format!("{status}\t491231235959Z\t{revoked}\t{serial}\tunknown\t/CN=leaf\n");
        self.dir.write("index.txt", entry);
        let (ca, key) = (self.path("ca.pem"), self.path("ca.key"));
        let (index, cert) = (self.path("index.txt"), self.path(cert));
        let (request, response) = (self.path("request.der"), self.path("response.der"));
        let ask = [
            "ocsp",
            "-issuer",
            &ca,
            "-cert",
            &cert,
            "-no_nonce",
            "-reqout",
            &request,
        ];
        openssl_now(&ask.map(str::to_owned), "");
        let fixed = [
            "ocsp", "-index", &index, "-CA", &ca, "-rsigner", &ca, "-rkey", &key, "-reqin",
            &request, "-respout", &response,
        ];
        let answer: Vec<String> = fixed
            .iter()
            .chain(validity)
            .map(|word| (*word).to_owned())
            .collect();
        let output = openssl_now(&answer, "");
        assert!(self.dir.path("response.der").exists(), "{output}");
        self.dir.path("response.der")
    }

    fn stapled(&mut self, status: &str, validity: &[&str]) -> Acceptor {
        let response = self.respond("server.pem", 4711, status, validity);
        self.settings.certificates[0].ocsp = Some(response);
        build(&self.settings)
    }

    async fn seen_by_openssl(&self, acceptor: Acceptor) -> String {
        let address = answering(Arc::new(acceptor)).await;
        let arguments = ["-status", "-servername", "localhost", "-ign_eof"];
        openssl(
            s_client(address, &self.dir.path("ca.pem"), &arguments),
            "hi\n",
        )
        .await
    }
}

#[tokio::test]
async fn a_good_response_is_stapled() {
    let mut scene = scene();
    let acceptor = scene.stapled("V", &["-ndays", "7"]);
    assert_eq!(acceptor.warnings(), []);
    let text = scene.seen_by_openssl(acceptor).await;
    assert!(
        text.contains("OCSP Response Status: successful (0x0)"),
        "{text}"
    );
    assert!(text.contains("Cert Status: good"), "{text}");
}

#[tokio::test]
async fn without_a_response_none_is_sent() {
    let scene = scene();
    let text = scene.seen_by_openssl(build(&scene.settings)).await;
    assert!(text.contains("OCSP response: no response sent"), "{text}");
}

#[tokio::test]
async fn a_response_past_its_time_is_not_stapled() {
    let mut scene = scene();
    // OpenSSL counts from now; the shortest it signs is a minute, so the clock cannot be waited
    // for. A response without an end never runs out; one with an end in the past is made by
    // hand: its date is text within the signed part, which nobody verifies here.
    let path = scene.respond("server.pem", 4711, "V", &["-ndays", "7"]);
    let mut response = std::fs::read(&path).unwrap();
    // GeneralizedTime, 15 characters: producedAt, thisUpdate, nextUpdate.
    let times: Vec<usize> = (0..response.len() - 17)
        .filter(|at| response[*at] == 0x18 && response[*at + 1] == 15)
        .collect();
    let next_update = times[2] + 2;
    response[next_update..next_update + 4].copy_from_slice(b"2020");
    scene.settings.certificates[0].ocsp = Some(scene.dir.write("response.der", response));
    let acceptor = build(&scene.settings);
    let warnings = acceptor.warnings();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].kind, TlsWarningKind::Staple);
    assert!(
        warnings[0].problem.contains("past its time"),
        "{}",
        warnings[0].problem
    );
    let text = scene.seen_by_openssl(acceptor).await;
    assert!(text.contains("OCSP response: no response sent"), "{text}");
}

#[tokio::test]
async fn a_response_without_an_end_is_stapled() {
    let mut scene = scene();
    let acceptor = scene.stapled("V", &[]);
    assert_eq!(acceptor.warnings(), []);
    let text = scene.seen_by_openssl(acceptor).await;
    assert!(text.contains("Cert Status: good"), "{text}");
}

#[test]
fn a_revoked_certificate_is_a_warning() {
    let mut scene = scene();
    let warnings = scene.stapled("R", &["-ndays", "7"]).warnings();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].kind, TlsWarningKind::Staple);
    assert!(
        warnings[0].problem.contains("revoked"),
        "{}",
        warnings[0].problem
    );
}

#[test]
fn a_response_for_another_certificate_is_an_error() {
    let mut scene = scene();
    let other = scene.ca.issue(&Leaf {
        serial: 99,
        ..Leaf::default()
    });
    scene.dir.write("other.pem", &other.cert);
    let response = scene.respond("other.pem", 99, "V", &["-ndays", "7"]);
    scene.settings.certificates[0].ocsp = Some(response);
    let Err(errors) = Acceptor::build(&scene.settings) else {
        panic!("accepted");
    };
    assert_eq!(errors.len(), 1);
    assert_eq!(
        errors[0].problem,
        "the OCSP response is for another certificate"
    );
}

#[test]
fn no_cut_of_a_response_is_taken_for_one() {
    let mut scene = scene();
    let path = scene.respond("server.pem", 4711, "V", &["-ndays", "7"]);
    let response = std::fs::read(&path).unwrap();
    for cut in 1..response.len() {
        scene.settings.certificates[0].ocsp = Some(scene.dir.write("cut.der", &response[..cut]));
        assert!(Acceptor::build(&scene.settings).is_err(), "cut at {cut}");
    }
}
