//! The key of a client, by which it proves who it is.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Map, Value, json};

use crate::{KeyError, signer::compact};

/// A private key that signs what a client says of itself (RFC 7523 §2.2): RSA (`RS256`), P-256
/// (`ES256`), P-384 (`ES384`) or Ed25519 (`EdDSA`).
pub struct ClientKey(Pair);

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The shortest modulus that is accepted, in bytes (RFC 7518 §3.3).
const SHORTEST_MODULUS: usize = 256;

impl ClientKey {
    /// A key from the text of a PEM file (`PRIVATE KEY`, RFC 7468 §10), as `openssl genpkey` writes it.
    ///
    /// # Errors
    /// There is no such block, or its key is weak or of no kind that clients sign with.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| KeyError::new("there is no `-----BEGIN PRIVATE KEY-----` block in it"))?;
        let der = der.secret_pkcs8_der();
        let ecdsa = |curve| EcdsaKeyPair::from_pkcs8(curve, der).ok();
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return match pair.public_modulus_len() {
                length if length < SHORTEST_MODULUS => {
                    Err(KeyError::new("its RSA key has fewer than 2048 bits"))
                }
                _ => Ok(Self(Pair::Rsa(pair))),
            };
        }
        let p256 = ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256);
        let pair = p256.or_else(|| ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Pair::P384));
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok();
        let pair = pair.or_else(|| ed25519().map(Pair::Ed25519));
        pair.map(Self)
            .ok_or_else(|| KeyError::new("its key is none of RSA, P-256, P-384 and Ed25519"))
    }

    /// What it signs with, as `alg` names it.
    pub const fn algorithm(&self) -> &'static str {
        match self.0 {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// A token that says this, in compact serialisation, with the name of the key where it has one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn sign(&self, id: Option<&str>, claims: &Map<String, Value>) -> Result<String, KeyError> {
        let alg = self.algorithm();
        let header = match id {
            Some(id) => json!({ "alg": alg, "typ": "JWT", "kid": id }),
            None => json!({ "alg": alg, "typ": "JWT" }),
        };
        compact(&header, claims, |signed| self.signature(signed))
    }

    fn signature(&self, signed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        let failed = |_| KeyError::new("nothing can be signed");
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::P256(pair) | Pair::P384(pair) => {
                let signature = pair.sign(&random, signed).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(signed).as_ref().to_vec()),
        }
    }
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ClientKey").field(&self.algorithm()).finish()
    }
}
