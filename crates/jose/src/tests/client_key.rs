//! What a client's key signs, its public half believes.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::RsaKeyPair,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{object, sign::Signer};
use crate::{Algorithm, ClientKey, Keys, Token};

fn pem(pair: &Signer) -> String {
    let der = match pair {
        Signer::Rsa(pair) => of(&**pair),
        Signer::Ecdsa(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
        Signer::Ed25519(pair) => of(pair),
        Signer::Secret(_) => unreachable!("a secret is no private key"),
    };
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der)
    )
}

fn of(pair: &impl AsDer<Pkcs8V1Der<'static>>) -> Vec<u8> {
    pair.as_der().unwrap().as_ref().to_vec()
}

#[test]
fn every_kind_of_key_proves_who_the_client_is() {
    let claims = object(json!({ "iss": "shop", "exp": 1 }));
    for (algorithm, name) in [
        (Algorithm::Rs256, "RS256"),
        (Algorithm::Es256, "ES256"),
        (Algorithm::Es384, "ES384"),
        (Algorithm::EdDsa, "EdDSA"),
    ] {
        let pair = Signer::new(algorithm);
        let pem = pem(&pair);
        let key = ClientKey::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(key.algorithm(), name);
        let set = json!({ "keys": [pair.jwk("k-1")] }).to_string();
        let (keys, _) = Keys::from_jwks(set.as_bytes(), &[algorithm]).unwrap();
        for id in [Some("k-1"), None] {
            let text = key.sign(id, &claims).unwrap();
            let token = Token::parse(&text).unwrap();
            assert_eq!(token.key_id(), id);
            assert!(keys.verify(&token).is_ok(), "{name}");
            assert_eq!(token.claims().unwrap().text("iss"), Some("shop"));
        }
        let shown = format!("{key:?}");
        assert!(shown.contains(name) && shown.len() < 30, "{shown}");
    }
}

#[test]
fn other_keys_are_refused() {
    let weak = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(of(&weak))
    );
    for (text, why) in [
        (pem(&Signer::new(Algorithm::Es512)), "none of RSA"),
        (public, "no `-----BEGIN PRIVATE KEY-----`"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
            "none of RSA",
        ),
        (String::new(), "no `-----BEGIN PRIVATE KEY-----`"),
    ] {
        let error = ClientKey::from_pem(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
