//! A private key, and the tokens that it makes.

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Map, Value, json};

use crate::KeyError;

/// A private Ed25519 key (RFC 8037) that signs tokens. Its `kid` is its thumbprint (RFC 7638), so
/// that the same key has the same name wherever it is used.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: Box<str>,
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate();
        let pair = pair.map_err(|_| KeyError::new("a key can't be made"))?;
        Ok(Self::new(pair))
    }

    /// A key from the text of a PEM file (`PRIVATE KEY`, RFC 7468 §10), as
    /// `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// There is no such block, or its key is no Ed25519 key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| KeyError::new("there is no `-----BEGIN PRIVATE KEY-----` block in it"))?;
        // Older files have no public key inside (RFC 8410 §7).
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_| KeyError::new("its key is not an Ed25519 key"))?;
        Ok(Self::new(pair))
    }

    fn new(pair: Ed25519KeyPair) -> Self {
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        // The members in this order and without spaces (RFC 7638 §3, RFC 8037 §2).
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let print = digest::digest(&digest::SHA256, canonical.as_bytes());
        Self {
            id: URL_SAFE_NO_PAD.encode(print).into(),
            pair,
        }
    }

    /// Its `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its public half as a JWK.
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(self.pair.public_key()),
            "kid": self.id,
            "alg": "EdDSA",
            "use": "sig",
        })
    }

    /// A token that says this, in compact serialisation.
    pub fn sign(&self, claims: &Map<String, Value>) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.id });
        let signed = compact(&header, claims, |signed| {
            Ok(self.pair.sign(signed).as_ref().to_vec())
        });
        signed.unwrap_or_default()
    }
}

/// Compact serialisation (RFC 7515 §7.1) of what `sign` makes a signature of.
pub(crate) fn compact(
    header: &Value,
    claims: &Map<String, Value>,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, KeyError>,
) -> Result<String, KeyError> {
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
