//! `cargo bench -p lintel-jose --bench verify`
//!
//! A token that is seen for the first time, beside what aws-lc-rs alone takes for its signature. All that
//! comes on top is a header and claims that are read and checked.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair,
        VerificationAlgorithm,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use divan::{Bencher, counter::ItemsCount};
use lintel_jose::{Algorithm, ClientKey, Key, Keys, Rules, Token};
use serde_json::{Map, Value, json};

fn main() {
    divan::main();
}

/// Seconds since 1970, in the life of the token.
const NOW: u64 = 1_700_000_000;

/// A token, and what verifies it: here, and by the library alone.
struct Signed {
    token: String,
    keys: Keys,
    raw: ParsedPublicKey,
}

impl Signed {
    fn new(algorithm: Algorithm) -> Self {
        let (private, public, verified): (_, _, &'static dyn VerificationAlgorithm) =
            match algorithm {
                Algorithm::Rs256 => {
                    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
                    let public = x509(pair.public_key());
                    (
                        private.as_ref().to_vec(),
                        public,
                        &RSA_PKCS1_2048_8192_SHA256,
                    )
                }
                Algorithm::Es256 => {
                    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                    let private = pair.to_pkcs8v1().unwrap();
                    let public = x509(pair.public_key());
                    (private.as_ref().to_vec(), public, &ECDSA_P256_SHA256_FIXED)
                }
                _ => {
                    let pair = Ed25519KeyPair::generate().unwrap();
                    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
                    (private.as_ref().to_vec(), x509(pair.public_key()), &ED25519)
                }
            };
        let key = ClientKey::from_pem(pem("PRIVATE", &private).as_bytes()).unwrap();
        Self {
            token: key.sign(None, &claims()).unwrap(),
            keys: Keys::one(
                Key::from_pem(pem("PUBLIC", &public).as_bytes(), &[algorithm]).unwrap(),
            ),
            raw: ParsedPublicKey::new(verified, public).unwrap(),
        }
    }
}

fn x509<'a>(key: &impl AsDer<PublicKeyX509Der<'a>>) -> Vec<u8> {
    key.as_der().unwrap().as_ref().to_vec()
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {kind} KEY-----\n{text}\n-----END {kind} KEY-----\n")
}

fn claims() -> Map<String, Value> {
    let claims = json!({
        "iss": "https://auth.example.com/", "aud": ["api.example.com"], "sub": "ada",
        "scope": "orders:read orders:write", "iat": NOW, "exp": NOW + 600,
    });
    claims.as_object().cloned().unwrap_or_default()
}

/// As the policy `jwt` does it when it does not know the token.
#[divan::bench(args = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])]
fn first_sight(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signed = Signed::new(algorithm);
    let rules = Rules {
        issuers: vec!["https://auth.example.com/".to_owned()],
        audiences: vec!["api.example.com".to_owned()],
        ..Rules::default()
    };
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let token = Token::parse(black_box(&signed.token)).unwrap();
        signed.keys.verify(&token).unwrap();
        let claims = token.claims().unwrap();
        black_box(rules.check_claims(&claims, NOW + 1).unwrap());
    });
}

#[divan::bench(args = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])]
fn signature_alone(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signed = Signed::new(algorithm);
    let (message, signature) = signed.token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let verified = signed
            .raw
            .verify_sig(black_box(message.as_bytes()), &signature);
        assert!(verified.is_ok());
    });
}
