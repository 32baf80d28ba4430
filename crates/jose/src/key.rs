//! One key, bound to what it may verify.

use std::fmt;

use aws_lc_rs::{
    digest, hmac,
    signature::{ED25519, ParsedPublicKey, RsaPublicKeyComponents},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde_json::{Map, Value};

use crate::{Algorithm, Family};

/// The longest `kid` that is looked at.
pub(crate) const MAX_KID: usize = 256;

/// A key and the algorithms it is for.
pub struct Key {
    id: Option<Box<str>>,
    print: Print,
    verifiers: Vec<(Algorithm, Verifier)>,
}

/// Tells a key from every other: a SHA-256 over its material, its `kid` and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Print([u8; 32]);

enum Verifier {
    Public(ParsedPublicKey),
    /// Boxed: it holds two states of its hash, of 1.2 KB.
    Secret(Box<hmac::Key>),
}

/// Why a key can't be used. Written for the operator; never holds key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError(String);

impl Key {
    /// A public key from a JWK (RFC 7517). `accepted` are the algorithms that the operator allows;
    /// a key without `alg` serves those of them that fit its kind.
    ///
    /// # Errors
    /// It is of an unknown kind, weak, malformed, not for signatures, or for an algorithm that is
    /// not accepted. A shared secret (`oct`) is refused: what is published is no secret.
    pub fn from_jwk(jwk: &Map<String, Value>, accepted: &[Algorithm]) -> Result<Self, KeyError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return Err(KeyError::new("it is not for signatures (`use`)"));
        }
        let for_verifying = |operations: &Vec<Value>| {
            operations
                .iter()
                .any(|operation| operation.as_str() == Some("verify"))
        };
        if jwk
            .get("key_ops")
            .and_then(Value::as_array)
            .is_some_and(|ops| !for_verifying(ops))
        {
            return Err(KeyError::new("it is not for verifying (`key_ops`)"));
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KID => Some(id.as_str().into()),
            Some(_) => return Err(KeyError::new("its `kid` is no short text")),
        };
        let family = family(text("kty"), text("crv"))?;
        let algorithms = algorithms(family, text("alg"), accepted)?;
        let number = |name| part(jwk, name);
        let (verifiers, material) = match family {
            Family::Rsa => {
                let (n, e) = (unpadded(number("n")?), unpadded(number("e")?));
                check_exponent(&e)?;
                let verifiers = each(&algorithms, |algorithm| rsa(algorithm, &n, &e))?;
                (verifiers, [e, n].concat())
            }
            Family::Ed25519 => {
                let x = number("x")?;
                (each(&algorithms, |_| ed25519(&x))?, x)
            }
            _ => {
                let point = [vec![4], number("x")?, number("y")?].concat();
                let verifiers = each(&algorithms, |algorithm| ecdsa(algorithm, &point))?;
                (verifiers, point)
            }
        };
        Ok(Self::new(id, verifiers, &material))
    }

    /// A public key from the text of a PEM file (`PUBLIC KEY`, RFC 7468 §13).
    ///
    /// # Errors
    /// There is no such block, or its key fits none of the accepted algorithms.
    pub fn from_pem(pem: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| KeyError::new("there is no `-----BEGIN PUBLIC KEY-----` block in it"))?;
        let public = accepted
            .iter()
            .filter(|algorithm| !algorithm.is_symmetric());
        let verifiers: Vec<_> = public
            .filter_map(|algorithm| {
                let parsed = match algorithm.family() {
                    Family::Rsa => ParsedPublicKey::new(algorithm.rsa()?, &der),
                    Family::Ed25519 => ParsedPublicKey::new(&ED25519, &der),
                    _ => ParsedPublicKey::new(algorithm.ecdsa()?, &der),
                };
                Some((*algorithm, Verifier::Public(parsed.ok()?)))
            })
            .collect();
        if verifiers.is_empty() {
            return Err(KeyError::new(
                "its key is malformed, weak, or of no kind that the accepted algorithms use",
            ));
        }
        Ok(Self::new(None, verifiers, &der))
    }

    /// A shared secret for HMAC.
    ///
    /// # Errors
    /// It is shorter than the hash of an accepted algorithm (RFC 7518 §3.2), or none is accepted.
    pub fn from_secret(secret: &[u8], accepted: &[Algorithm]) -> Result<Self, KeyError> {
        let verifiers: Vec<_> = accepted
            .iter()
            .filter_map(|algorithm| Some((*algorithm, algorithm.hmac()?)))
            .collect();
        let needed = verifiers
            .iter()
            .filter_map(|(algorithm, _)| algorithm.signature_len())
            .max()
            .ok_or_else(|| KeyError::new("a secret needs HS256, HS384 or HS512"))?;
        if secret.len() < needed {
            return Err(KeyError::new(format!(
                "the secret has {} bytes, and its algorithm needs {needed}",
                secret.len()
            )));
        }
        let key = |(algorithm, hash)| {
            (
                algorithm,
                Verifier::Secret(Box::new(hmac::Key::new(hash, secret))),
            )
        };
        let verifiers = verifiers.into_iter().map(key).collect();
        Ok(Self::new(None, verifiers, secret))
    }

    fn new(id: Option<Box<str>>, verifiers: Vec<(Algorithm, Verifier)>, material: &[u8]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        // Lengths first, so that no two keys give the same bytes.
        let name = id.as_deref().map_or(&[][..], str::as_bytes);
        hash.update(&[u8::from(id.is_some())]);
        for part in [name, material] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        for (algorithm, _) in &verifiers {
            hash.update(algorithm.name().as_bytes());
            hash.update(b",");
        }
        let print = hash.finish().as_ref().try_into().unwrap_or_default();
        Self {
            id,
            print: Print(print),
            verifiers,
        }
    }

    /// Its `kid`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What tells it from every other key.
    pub const fn print(&self) -> Print {
        self.print
    }

    /// What it may verify.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// Whether it signed the message with the algorithm.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let mut all = self.verifiers.iter();
        let Some((_, verifier)) = all.find(|(own, _)| *own == algorithm) else {
            return false;
        };
        match verifier {
            Verifier::Public(key) => key.verify_sig(message, signature).is_ok(),
            Verifier::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn family(kty: Option<&str>, crv: Option<&str>) -> Result<Family, KeyError> {
    Ok(match (kty, crv) {
        (Some("RSA"), _) => Family::Rsa,
        (Some("EC"), Some("P-256")) => Family::P256,
        (Some("EC"), Some("P-384")) => Family::P384,
        (Some("EC"), Some("P-521")) => Family::P521,
        (Some("OKP"), Some("Ed25519")) => Family::Ed25519,
        (Some("oct"), _) => return Err(KeyError::new("a published key can't be a secret (`oct`)")),
        _ => return Err(KeyError::new("its kind (`kty`, `crv`) is not known")),
    })
}

fn algorithms(
    family: Family,
    alg: Option<&str>,
    accepted: &[Algorithm],
) -> Result<Vec<Algorithm>, KeyError> {
    let fitting = accepted
        .iter()
        .copied()
        .filter(|algorithm| algorithm.family() == family);
    let pinned: Vec<_> = match alg {
        None => fitting.collect(),
        // RFC 9864 names the curve.
        Some("Ed25519") => fitting.filter(|own| *own == Algorithm::EdDsa).collect(),
        Some(name) => fitting.filter(|own| own.name() == name).collect(),
    };
    if pinned.is_empty() {
        return Err(KeyError::new("it is for no accepted algorithm"));
    }
    Ok(pinned)
}

fn each(
    algorithms: &[Algorithm],
    parse: impl Fn(Algorithm) -> Result<ParsedPublicKey, KeyError>,
) -> Result<Vec<(Algorithm, Verifier)>, KeyError> {
    let all = algorithms.iter();
    all.map(|algorithm| Ok((*algorithm, Verifier::Public(parse(*algorithm)?))))
        .collect()
}

fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let weak =
        || KeyError::new("its RSA key has fewer than 2048 bits, more than 8192, or is malformed");
    let parameters = algorithm.rsa().ok_or_else(weak)?;
    // Checked here too: a parsed key is only measured when it verifies.
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(weak());
    }
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(parameters)
        .map_err(|_| weak())
}

/// e = 1 makes every message its own signature, and an even e is no RSA key; more than 33 bits
/// only slow verification down (as FIPS 186-5 §5.1 and the verifier itself have it).
fn check_exponent(e: &[u8]) -> Result<(), KeyError> {
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if odd && e != [1] && e.len() <= 5 {
        return Ok(());
    }
    Err(KeyError::new("its RSA exponent is unsafe"))
}

fn ecdsa(algorithm: Algorithm, point: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let bad = || KeyError::new("its point is not on the curve");
    ParsedPublicKey::new(algorithm.ecdsa().ok_or_else(bad)?, point).map_err(|_| bad())
}

fn ed25519(x: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyError::new("it is not an Ed25519 key"))
}

fn part(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyError> {
    let text = jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| KeyError::new(format!("its `{name}` is missing or not base64url")))
}

/// Some issuers write a leading zero, which RFC 7518 §6.3.1.1 forbids and which is harmless.
fn unpadded(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

impl KeyError {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.algorithms().collect();
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &algorithms)
            .finish_non_exhaustive()
    }
}
