//! What attackers have sent to others.

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::json;

use super::{
    object, set,
    sign::{Signer, base64},
    verify,
};
use crate::{Algorithm, Key, Keys, MAX_TOKEN, Refusal, Token};

const PUBLIC: [Algorithm; 4] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

#[test]
fn none_in_any_case_is_no_algorithm() {
    for name in ["none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "HS1"] {
        for signature in ["", "AA"] {
            let header = base64(json!({ "alg": name }).to_string());
            let text = format!("{header}.{}.{signature}", base64("{}"));
            assert_eq!(
                Token::parse(&text).err(),
                Some(Refusal::Algorithm),
                "{name}"
            );
        }
    }
    let unsigned = format!("{}.{}.", base64(r#"{"alg":"RS256"}"#), base64("{}"));
    assert!(matches!(
        Token::parse(&unsigned),
        Err(Refusal::Malformed(_))
    ));
}

/// The public key as the secret of an HMAC: the key says what it is for, not the token.
#[test]
fn a_public_key_is_no_secret() {
    let signer = Signer::new(Algorithm::Rs256);
    let jwk = signer.jwk("k");
    let accepted = [Algorithm::Rs256, Algorithm::Hs256];
    let keys = set(std::slice::from_ref(&jwk), &accepted);
    for secret in [jwk.to_string(), jwk["n"].as_str().unwrap().to_owned()] {
        let signed = format!(
            "{}.{}",
            base64(r#"{"alg":"HS256","kid":"k"}"#),
            base64("{}")
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let text = format!("{signed}.{}", base64(hmac::sign(&key, signed.as_bytes())));
        assert_eq!(verify(&keys, &text), Err(Refusal::Algorithm));
    }
}

#[test]
fn a_published_secret_is_refused() {
    let jwk = object(json!({"kty": "oct", "k": base64([7; 64]), "kid": "k"}));
    let error = Key::from_jwk(&jwk, &Algorithm::ALL).unwrap_err();
    assert!(error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_key_serves_only_the_algorithm_that_it_names() {
    let signer = Signer::new(Algorithm::Rs256);
    let mut jwk = signer.jwk("k");
    jwk["alg"] = json!("PS256");
    let keys = set(&[jwk], &PUBLIC);
    let token = |alg: &str| signer.token(&json!({"alg": alg, "kid": "k"}), &json!({}));
    assert_eq!(verify(&keys, &token("PS256")), Ok(()));
    assert_eq!(verify(&keys, &token("RS256")), Err(Refusal::Algorithm));
}

#[test]
fn keys_that_a_token_brings_are_not_looked_at() {
    let (own, attacker) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Es256));
    let keys = set(&[own.jwk("k")], &PUBLIC);
    let jwk = attacker.jwk("k");
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!("http://127.0.0.1:9/jwks.json")),
        ("x5u", json!("http://127.0.0.1:9/chain.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "k"});
        header[name] = value;
        let text = attacker.token(&header, &json!({}));
        assert_eq!(
            verify(&keys, &text),
            Err(Refusal::Signature(Algorithm::Es256)),
            "{name}"
        );
    }
}

/// A `kid` is only compared: it is no path, no query and no pattern.
#[test]
fn a_kid_is_only_a_name() {
    let signer = Signer::new(Algorithm::Es256);
    let keys = set(&[signer.jwk("k")], &PUBLIC);
    for kid in [
        "../../dev/null",
        "/dev/null",
        "k' OR '1'='1",
        "K",
        "k\u{0}",
        "*",
        "",
    ] {
        let text = signer.token(&json!({"alg": "ES256", "kid": kid}), &json!({}));
        assert_eq!(verify(&keys, &text), Err(Refusal::UnknownKey), "{kid}");
    }
    let long = signer.token(&json!({"alg": "ES256", "kid": "k".repeat(300)}), &json!({}));
    assert!(matches!(verify(&keys, &long), Err(Refusal::Malformed(_))));
    for kid in [json!(7), json!(null), json!(["k"]), json!({"a": "k"})] {
        let text = signer.token(&json!({"alg": "ES256", "kid": kid}), &json!({}));
        assert!(matches!(verify(&keys, &text), Err(Refusal::Malformed(_))));
    }
}

/// CVE-2022-21449: r = s = 0 must not be a signature of everything.
#[test]
fn psychic_signatures_are_none() {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&order[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let keys = set(&[Signer::new(Algorithm::Es256).jwk("k")], &PUBLIC);
    let signed = format!(
        "{}.{}",
        base64(r#"{"alg":"ES256","kid":"k"}"#),
        base64("{}")
    );
    let (zero, one) = ([0; 32].to_vec(), [vec![0; 31], vec![1]].concat());
    for (r, s) in [
        (&zero, &zero),
        (&zero, &one),
        (&one, &zero),
        (&order, &order),
        (&order, &one),
    ] {
        let text = format!("{signed}.{}", base64([r.clone(), s.clone()].concat()));
        assert_eq!(
            verify(&keys, &text),
            Err(Refusal::Signature(Algorithm::Es256))
        );
    }
    for len in [1, 63, 65, 70, 72] {
        let text = format!("{signed}.{}", base64(vec![1; len]));
        assert_eq!(
            verify(&keys, &text),
            Err(Refusal::Signature(Algorithm::Es256)),
            "{len}"
        );
    }
}

#[test]
fn critical_extensions_and_unencoded_payloads_are_refused() {
    let signer = Signer::new(Algorithm::Es256);
    for header in [
        json!({"alg": "ES256", "crit": ["exp"], "exp": 1}),
        json!({"alg": "ES256", "crit": []}),
        json!({"alg": "ES256", "b64": false, "crit": ["b64"]}),
        json!({"alg": "ES256", "b64": true}),
    ] {
        let text = signer.token(&header, &json!({}));
        assert_eq!(
            Token::parse(&text).err(),
            Some(Refusal::Critical),
            "{header}"
        );
    }
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let signer = Signer::new(Algorithm::Es256);
    let header = r#"{"alg":"ES256","kid":"a","kid":"b"}"#;
    let text = signer.raw(r#"{"alg":"ES256"}"#, "{}");
    let twice = text.replacen(&base64(r#"{"alg":"ES256"}"#), &base64(header), 1);
    assert!(matches!(Token::parse(&twice), Err(Refusal::Malformed(_))));
    for claims in [
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"sub":"a","\u0073ub":"b"}"#,
    ] {
        let text = signer.raw(r#"{"alg":"ES256"}"#, claims);
        let claims = Token::parse(&text).unwrap().claims();
        assert!(matches!(claims, Err(Refusal::Malformed(_))));
    }
}

#[test]
fn parts_must_be_what_they_are() {
    let good = Signer::new(Algorithm::Es256).token(&json!({"alg": "ES256"}), &json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = [parts[0], parts[1], parts[2]];
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}.{payload}.{}+", &signature[1..]),
        format!("{}.{payload}.{signature}", base64("[]")),
        format!("{}.{payload}.{signature}", base64("{\"alg\":\"ES256\"}x")),
        format!("{}.{payload}.{signature}", base64([0xff, 0xfe])),
        format!("{}.{payload}.{signature}", base64("{".repeat(500))),
        format!(
            "{}.{payload}.{signature}",
            base64(format!("{}1", "[".repeat(5000)))
        ),
    ] {
        assert!(
            matches!(Token::parse(&text), Err(Refusal::Malformed(_))),
            "{text}"
        );
    }
    let long = format!("{good}{}", "A".repeat(MAX_TOKEN));
    assert_eq!(Token::parse(&long).err(), Some(Refusal::TooLarge));
}

/// base64url has unused bits at its end; only one way to write them is accepted.
#[test]
fn a_token_can_be_written_in_one_way_only() {
    let text = Signer::new(Algorithm::Es256).token(&json!({"alg": "ES256"}), &json!({}));
    let last = text.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let sibling = alphabet.chars().nth(place ^ 1).unwrap();
    let other = format!("{}{sibling}", &text[..text.len() - 1]);
    assert!(matches!(Token::parse(&other), Err(Refusal::Malformed(_))));
}

#[test]
fn weak_and_senseless_keys_are_refused_when_loaded() {
    let n = |len: usize| base64([vec![0x80], vec![1; len - 1]].concat());
    for (jwk, word) in [
        (json!({"kty": "RSA", "n": n(128), "e": "AQAB"}), "2048"),
        (json!({"kty": "RSA", "n": n(255), "e": "AQAB"}), "2048"),
        (json!({"kty": "RSA", "n": n(2048), "e": "AQAB"}), "8192"),
        (json!({"kty": "RSA", "n": n(256), "e": "AQ"}), "exponent"),
        (json!({"kty": "RSA", "n": n(256), "e": "Ag"}), "exponent"),
        (
            json!({"kty": "RSA", "n": n(256), "e": base64([1; 64])}),
            "exponent",
        ),
        (json!({"kty": "RSA", "n": "", "e": "AQAB"}), "`n`"),
        (json!({"kty": "RSA", "n": "===", "e": "AQAB"}), "`n`"),
        (
            json!({"kty": "EC", "crv": "P-256", "x": base64([1; 32]), "y": base64([1; 32])}),
            "curve",
        ),
        (
            json!({"kty": "EC", "crv": "P-256", "x": base64([1; 31]), "y": base64([1; 32])}),
            "curve",
        ),
        (
            json!({"kty": "EC", "crv": "secp256k1", "x": base64([1; 32]), "y": base64([1; 32])}),
            "kind",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": base64([1; 31])}),
            "Ed25519",
        ),
        (
            json!({"kty": "OKP", "crv": "X25519", "x": base64([1; 32])}),
            "kind",
        ),
        (json!({"kty": "RSA", "use": "enc"}), "signatures"),
        (json!({"kty": "RSA", "key_ops": ["sign"]}), "verifying"),
        (json!({"kty": "RSA", "kid": 7}), "kid"),
        (
            json!({"kty": "RSA", "alg": "RSA-OAEP", "n": n(256), "e": "AQAB"}),
            "accepted",
        ),
        (json!({}), "kind"),
    ] {
        let error = Key::from_jwk(&object(jwk.clone()), &PUBLIC)
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{jwk}: {error}");
    }
    for (secret, algorithm) in [
        (31, Algorithm::Hs256),
        (47, Algorithm::Hs384),
        (63, Algorithm::Hs512),
    ] {
        assert!(Key::from_secret(&vec![1; secret], &[algorithm]).is_err());
        assert!(Key::from_secret(&vec![1; secret + 1], &[algorithm]).is_ok());
    }
    assert!(Key::from_secret(&[1; 64], &[Algorithm::Rs256]).is_err());
}

#[test]
fn a_set_keeps_what_can_be_used_and_tells_of_the_rest() {
    let good = Signer::new(Algorithm::EdDsa).jwk("good");
    let text = json!({"keys": [good, {"kty": "oct", "k": "AA"}, 7], "other": 1}).to_string();
    let (keys, left_out) = Keys::from_jwks(text.as_bytes(), &PUBLIC).unwrap();
    assert_eq!(keys.iter().count(), 1);
    assert_eq!(left_out.len(), 2);
    assert!(keys.names("good") && !keys.names("bad"));
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{}]}"#,
    ] {
        assert!(Keys::from_jwks(bad.as_bytes(), &PUBLIC).is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// No flipped bit anywhere leaves a token good.
    #[test]
    fn every_bit_counts(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let secret: Vec<u8> = (0..64).collect();
        let keys = Keys::one(Key::from_secret(&secret, &[Algorithm::Hs256]).unwrap());
        let text = Signer::Secret(secret).token(&json!({"alg": "HS256"}), &json!({"sub": "a"}));
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(verify(&keys, &text).is_err());
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC*", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _refused = Token::parse(&text);
        let parts = format!("{}.{}.{}", base64(&bytes), base64(&text), base64(&bytes));
        let _refused = Token::parse(&parts).map(|token| token.claims());
        let _refused = Keys::from_jwks(&bytes, &Algorithm::ALL);
        let _refused = Key::from_pem(&bytes, &Algorithm::ALL);
    }
}
