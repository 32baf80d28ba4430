//! What a browser keeps for the gateway, encrypted.

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lintel_kernel::Secret;

/// Encrypts and decrypts under AES-256-GCM-SIV (RFC 8452) with random nonces. Many replicas use one
/// key for months; with this mode two equal nonces, however unlikely, would tell no more than that
/// two texts are equal.
#[derive(Debug)]
pub(super) struct Seal {
    /// The first encrypts, all decrypt.
    keys: Vec<LessSafeKey>,
}

impl Seal {
    /// Keys are derived from the secrets (HKDF, RFC 5869), so that a secret may be any text of
    /// enough entropy. None if the library refuses, which it never does.
    pub(super) fn new(secrets: &[Secret]) -> Option<Self> {
        let derive = |secret: &Secret| {
            let salt = Salt::new(HKDF_SHA256, b"lintel oidc cookies 1");
            let secret = salt.extract(secret.expose().trim().as_bytes());
            let key = secret.expand(&[b"seal"], &AES_256_GCM_SIV).ok()?;
            Some(LessSafeKey::new(UnboundKey::from(key)))
        };
        let keys: Option<Vec<_>> = secrets.iter().map(derive).collect();
        keys.map(|keys| Self { keys })
    }

    /// Encrypts a text for a context. It can be decrypted in the same context only.
    pub(super) fn close(&self, context: &str, plain: Vec<u8>) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut text = plain;
        let key = self.keys.first()?;
        let sealed = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(sealed, Aad::from(context), &mut text)
            .ok()?;
        let mut all = nonce.to_vec();
        all.append(&mut text);
        Some(URL_SAFE_NO_PAD.encode(all))
    }

    /// Decrypts what was encrypted in this context. None for anything else.
    pub(super) fn open(&self, context: &str, text: &str) -> Option<Vec<u8>> {
        let all = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = all.split_first_chunk::<NONCE_LEN>()?;
        self.keys.iter().find_map(|key| {
            let mut text = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let plain = key
                .open_in_place(nonce, Aad::from(context), &mut text)
                .ok()?;
            Some(plain.to_vec())
        })
    }
}

/// A text that nobody guesses: 256 random bits, fit for URLs.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
