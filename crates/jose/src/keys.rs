//! The keys of one issuer.

use serde_json::Value;

use crate::{Algorithm, Key, KeyError, Print, Refusal, Token, json};

/// The longest JWK Set that is read, in bytes.
const MAX_SET: usize = 1 << 20;
/// Keys that are tried for a token that names none: each is a signature check, and a token costs
/// its sender nothing.
const MAX_TRIES: usize = 4;

/// The keys of one issuer.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
}

impl Keys {
    /// A set of one key.
    pub fn one(key: Key) -> Self {
        Self { keys: vec![key] }
    }

    /// Reads a JWK Set (RFC 7517 §5). Keys that can't be used are left out and told of: issuers
    /// publish keys for other purposes too.
    ///
    /// # Errors
    /// It is no JWK Set, or has no key that can be used.
    pub fn from_jwks(
        text: &[u8],
        accepted: &[Algorithm],
    ) -> Result<(Self, Vec<KeyError>), KeyError> {
        if text.len() > MAX_SET {
            return Err(KeyError::new("the key set is larger than 1 MiB"));
        }
        let set = json::object(text)
            .map_err(|error| KeyError::new(format!("the key set is no JSON object: {error}")))?;
        let Some(Value::Array(all)) = set.get("keys") else {
            return Err(KeyError::new("the key set has no list `keys`"));
        };
        let (mut keys, mut left_out) = (Vec::new(), Vec::new());
        for (index, jwk) in all.iter().enumerate() {
            let key = match jwk {
                Value::Object(jwk) => Key::from_jwk(jwk, accepted),
                _ => Err(KeyError::new("it is no object")),
            };
            match key {
                Ok(key) => keys.push(key),
                Err(error) => left_out.push(KeyError::new(format!("key {index}: {error}"))),
            }
        }
        if keys.is_empty() {
            let first = left_out
                .first()
                .map_or_else(|| "it is empty".to_owned(), KeyError::to_string);
            return Err(KeyError::new(format!(
                "no key of the set can be used; {first}"
            )));
        }
        Ok((Self { keys }, left_out))
    }

    /// Adds the keys of another set.
    pub fn join(&mut self, other: Self) {
        self.keys.extend(other.keys);
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// Whether a key has this `kid`.
    pub fn names(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id() == Some(id))
    }

    /// Whether this very key is among them.
    pub fn has(&self, print: &Print) -> bool {
        self.keys.iter().any(|key| key.print() == *print)
    }

    /// Whether they are the same keys, in whatever order.
    pub fn same(&self, other: &Self) -> bool {
        let all_in =
            |these: &Self, those: &Self| these.keys.iter().all(|key| those.has(&key.print()));
        all_in(self, other) && all_in(other, self)
    }

    /// Checks the signature of a token, and tells the key that made it. Only keys with the token's
    /// `kid`, or without any, are tried, each with algorithms that were settled when it was loaded.
    ///
    /// # Errors
    /// No key fits, or the signature is of none that does.
    pub fn verify(&self, token: &Token<'_>) -> Result<&Key, Refusal> {
        let named = |key: &&Key| match (token.key_id(), key.id()) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        let algorithm = token.algorithm();
        let mut known = false;
        let mut fitting = self.keys.iter().filter(named).inspect(|_| known = true);
        let mut tried = false;
        let serves = |key: &&Key| key.algorithms().any(|own| own == algorithm);
        for key in fitting.by_ref().filter(serves).take(MAX_TRIES) {
            tried = true;
            if token.is_signed_by(key) {
                return Ok(key);
            }
        }
        drop(fitting);
        Err(match (known, tried) {
            (_, true) => Refusal::Signature(algorithm),
            (true, false) => Refusal::Algorithm,
            (false, false) => Refusal::UnknownKey,
        })
    }
}
