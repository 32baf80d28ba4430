//! What a signer makes, its verifier believes.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{Algorithm, Key, Keys, Refusal, Signer, Token};

/// RFC 8037 appendix A.1 and A.3: a private key and its thumbprint.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

/// PKCS #8 without the public key (RFC 8410 §7).
fn pem(d: &str) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut der = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    der.extend(URL_SAFE_NO_PAD.decode(d).unwrap());
    let body = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    let signer = Signer::from_pem(pem(D).as_bytes()).unwrap();
    assert_eq!(signer.id(), THUMBPRINT);
    assert_eq!(
        signer.jwk()["x"],
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    assert!(Signer::from_pem(b"x").is_err());
    assert!(!format!("{signer:?}").contains(D));
}

#[test]
fn what_it_signs_is_believed_with_its_key_alone() {
    let (one, two) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let keys = |signers: &[&Signer]| {
        let set = json!({ "keys": signers.iter().map(|one| one.jwk()).collect::<Vec<_>>() });
        Keys::from_jwks(set.to_string().as_bytes(), &Algorithm::ALL)
            .unwrap()
            .0
    };
    let claims = json!({ "sub": "ada", "scope": "a b" });
    let text = one.sign(claims.as_object().unwrap());
    let token = Token::parse(&text).unwrap();
    assert_eq!(
        token.claims().unwrap().as_map(),
        claims.as_object().unwrap()
    );
    let both = keys(&[&two, &one]);
    let key = both.verify(&token).unwrap();
    assert_eq!(key.id(), Some(one.id()));
    assert_eq!(
        keys(&[&two]).verify(&token).err(),
        Some(Refusal::UnknownKey)
    );
    assert!(both.names(one.id()) && !both.names("other"));
    assert!(both.same(&keys(&[&one, &two])) && !both.same(&keys(&[&one])));
    assert!(!keys(&[&one]).has(&keys(&[&two]).iter().next().unwrap().print()));
}

#[test]
fn prints_tell_keys_apart_by_name_and_purpose_too() {
    let jwk = Signer::from_pem(pem(D).as_bytes()).unwrap().jwk();
    let print = |change: &dyn Fn(&mut serde_json::Map<String, serde_json::Value>)| {
        let mut jwk = jwk.as_object().unwrap().clone();
        change(&mut jwk);
        Key::from_jwk(&jwk, &Algorithm::ALL).unwrap().print()
    };
    let own = print(&|_| ());
    assert_eq!(
        own,
        print(&|jwk| drop(jwk.remove("alg"))),
        "still for EdDSA alone"
    );
    assert_ne!(
        own,
        print(&|jwk| drop(jwk.insert("kid".into(), "x".into())))
    );
    assert_ne!(own, print(&|jwk| drop(jwk.remove("kid"))));
}
