//! A compact token, taken apart.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{Algorithm, Claims, Key, Refusal, json, key::MAX_KID};

/// The longest token that is looked at, in bytes. Longer ones do not fit into common header limits
/// either.
pub const MAX_TOKEN: usize = 16 * 1024;

/// A token in compact serialisation (RFC 7515 §7.1), taken apart and not yet believed.
///
/// Keys that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) are never looked at.
#[derive(Debug)]
pub struct Token<'a> {
    signed: &'a str,
    payload: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Option<String>,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is too long, is not in compact serialisation, its header is not one, names no algorithm
    /// that exists, or has critical extensions.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MAX_TOKEN {
            return Err(Refusal::TooLarge);
        }
        let three = || Refusal::Malformed("a token has three parts with dots between them");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(three)?;
        let (header, payload) = signed.split_once('.').ok_or_else(three)?;
        if payload.contains('.') {
            return Err(three());
        }
        let header = decode(header)
            .and_then(|bytes| json::object(&bytes).ok())
            .ok_or(Refusal::Malformed(
                "its header is no JSON object in base64url",
            ))?;
        // Also refuses unencoded payloads (RFC 7797), which have to be critical.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Refusal::Critical);
        }
        let algorithm = text_member(&header, "alg")?.ok_or(Refusal::Algorithm)?;
        let algorithm: Algorithm = match algorithm {
            "Ed25519" => Algorithm::EdDsa,
            name => name.parse().map_err(|()| Refusal::Algorithm)?,
        };
        let signature =
            decode(signature)
                .filter(|bytes| !bytes.is_empty())
                .ok_or(Refusal::Malformed(
                    "its signature is missing or not base64url",
                ))?;
        if algorithm
            .signature_len()
            .is_some_and(|len| len != signature.len())
        {
            return Err(Refusal::Signature(algorithm));
        }
        let key_id = text_member(&header, "kid")?;
        if key_id.is_some_and(|id| id.len() > MAX_KID) {
            return Err(Refusal::Malformed("its `kid` is too long"));
        }
        Ok(Self {
            signed,
            payload,
            algorithm,
            key_id: key_id.map(str::to_owned),
            kind: text_member(&header, "typ")?.map(str::to_owned),
            signature,
        })
    }

    /// The algorithm that it claims to be signed with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its `kid`: the key that it claims to be signed with. Chosen by whoever made the token.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Its `typ`.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Whether a key signed it.
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature)
    }

    /// Its payload as bytes.
    pub fn payload(&self) -> Option<Vec<u8>> {
        decode(self.payload)
    }

    /// Its claims. Only to be believed once the signature was checked; before that, to choose
    /// among issuers.
    ///
    /// # Errors
    /// The payload is no JSON object.
    pub fn claims(&self) -> Result<Claims, Refusal> {
        self.payload()
            .and_then(|bytes| json::object(&bytes).ok())
            .map(Claims::new)
            .ok_or(Refusal::Malformed(
                "its payload is no JSON object in base64url",
            ))
    }
}

/// What a token is remembered by: its SHA-256. The token itself is a secret that need not be kept.
pub fn fingerprint(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().unwrap_or_default()
}

/// base64url without padding, in its one canonical form: otherwise one token could be written in
/// several ways, and each would be remembered by itself.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn text_member<'a>(header: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::Malformed(
            "a field of its header is of the wrong kind",
        )),
    }
}
