//! Whose a key is that signs requests.

use std::{fmt, rc::Rc, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use lintel_httpsig::Algorithm;
use lintel_jose::Key;
use lintel_kernel::{Consumer, Fault, Identity, Secret};
use rustc_hash::FxHashMap;

use super::{
    SigningAlgorithm, SigningKeyConfig,
    directory::Twins,
    grant::{Grant, time},
    identities::Identities,
};

/// The longest id of a key, in bytes.
const LONGEST_ID: usize = 256;
/// The least that a secret of AWS has; those that AWS makes have 40.
const SHORTEST_SECRET: usize = 16;

/// Keys that sign requests, by their id.
#[derive(Default)]
pub(crate) struct Signers {
    all: Vec<Signer>,
    by_id: FxHashMap<Box<str>, usize>,
    identities: Identities,
}

/// A key that signs requests of a consumer.
pub(crate) struct Signer {
    pub(crate) key: SigningKey,
    grant: Grant,
    number: usize,
}

/// A key, and what it is for.
pub(crate) enum SigningKey {
    Message(Algorithm, Key),
    Aws(Secret),
}

impl Signers {
    /// Adds the keys of a consumer; the answer is what is wrong with them.
    pub(super) fn add(
        &mut self,
        consumer: &Arc<Consumer>,
        configs: &[SigningKeyConfig],
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, config) in configs.iter().enumerate() {
            if let Err(fault) = self.add_one(consumer, config) {
                faults.push(fault.under(at.to_string()).under("signing_keys"));
            }
        }
        faults
    }

    fn add_one(
        &mut self,
        consumer: &Arc<Consumer>,
        config: &SigningKeyConfig,
    ) -> Result<(), Fault> {
        let id = config.id.as_str();
        let fit = |byte: u8| (0x21..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\' | b'/');
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(fit) {
            return Err(Fault::new(format!("`{id}` can't be the id of a key"))
                .with_hint(
                    "use up to 256 letters, digits and signs, without spaces, quotes and `/`",
                )
                .under("id"));
        }
        if let Some(other) = self.find(id) {
            return Err(Fault::new(format!(
                "a key of consumer `{}` has this id already",
                other.grant.consumer.name
            ))
            .with_hint("the id is how a key is found: give each one its own")
            .under("id"));
        }
        let expires = config.expires.as_deref().map(time).transpose()?;
        let number = self.all.len();
        self.all.push(Signer {
            key: key(config)?,
            grant: Grant::new(id, consumer, &config.scopes, expires),
            number,
        });
        self.by_id.insert(id.into(), number);
        Ok(())
    }

    /// The key with an id.
    pub(crate) fn find(&self, id: &str) -> Option<&Signer> {
        self.all.get(*self.by_id.get(id)?)
    }

    /// The key that signatures of unknown ones are held against, so that both take as long.
    pub(crate) fn decoy(&self, is: impl Fn(&SigningKey) -> bool) -> Option<&Signer> {
        self.all.iter().find(|signer| is(&signer.key))
    }

    /// Keys whose ids are also among others: whose they are here and there.
    pub(super) fn twins<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = Twins<'a>> {
        self.all.iter().filter_map(|signer| {
            let other = others.find(&signer.grant.id)?;
            Some((&signer.grant.consumer, &other.grant.consumer))
        })
    }

    /// Whom a key stands for, if it is one of these.
    pub(super) fn identity(&self, signer: &Signer) -> Option<Rc<Identity>> {
        let number = signer.number;
        let own = self.all.get(number)?;
        if !std::ptr::eq(own, signer) {
            return None;
        }
        let make = || signer.grant.identity("hmac");
        Some(self.identities.of(number, self.all.len(), make))
    }
}

impl Signer {
    /// Whose it is.
    pub(super) const fn consumer(&self) -> &Arc<Consumer> {
        &self.grant.consumer
    }

    /// What callers name it by.
    pub(crate) fn id(&self) -> &str {
        &self.grant.id
    }

    /// Whether its time has passed, at one in seconds since 1970.
    pub(crate) fn has_expired(&self, now: u64) -> bool {
        self.grant.has_expired(now)
    }
}

fn key(config: &SigningKeyConfig) -> Result<SigningKey, Fault> {
    let algorithm = match config.algorithm {
        SigningAlgorithm::HmacSha256 => Algorithm::HmacSha256,
        SigningAlgorithm::RsaPssSha512 => Algorithm::RsaPssSha512,
        SigningAlgorithm::RsaV15Sha256 => Algorithm::RsaV15Sha256,
        SigningAlgorithm::EcdsaP256Sha256 => Algorithm::EcdsaP256Sha256,
        SigningAlgorithm::EcdsaP384Sha384 => Algorithm::EcdsaP384Sha384,
        SigningAlgorithm::Ed25519 => Algorithm::Ed25519,
        SigningAlgorithm::Aws4HmacSha256 => return aws(config),
    };
    let bad = |key: &str, error: &dyn fmt::Display, hint: &str| {
        Fault::new(error.to_string())
            .with_hint(hint)
            .discreet()
            .under(key)
    };
    let accepted = [algorithm.jose()];
    let public = algorithm != Algorithm::HmacSha256;
    let built = match (&config.secret, &config.public_key) {
        (Some(secret), None) if !public => {
            let secret = secret.expose();
            let decoded = config.base64.then(|| STANDARD.decode(secret.trim()));
            let bytes = decoded
                .unwrap_or_else(|| Ok(secret.as_bytes().to_vec()))
                .map_err(|_| bad("secret", &"this is no base64", RANDOM))?;
            Key::from_secret(&bytes, &accepted).map_err(|error| bad("secret", &error, RANDOM))
        }
        (None, Some(pem)) if public => {
            let hint = "write the public key of the signer in PEM form, as `openssl pkey -pubout` prints it";
            Key::from_pem(pem.as_bytes(), &accepted)
                .map_err(|error| bad("public_key", &error, hint))
        }
        _ if public => Err(Fault::new(format!(
            "`{}` needs `public_key`, and no secret",
            algorithm.name()
        ))
        .with_hint(
            "write `public_key: ${file.partner.pem}`; the private key stays with the caller",
        )),
        _ => Err(
            Fault::new("`hmac-sha256` needs `secret`, and no public key")
                .with_hint("write `secret: ${env.…}` or `secret: ${file.…}`"),
        ),
    };
    built.map(|key| SigningKey::Message(algorithm, key))
}

const RANDOM: &str = "`openssl rand -base64 32` makes one; add `base64: true`";

fn aws(config: &SigningKeyConfig) -> Result<SigningKey, Fault> {
    match (&config.secret, &config.public_key, config.base64) {
        (Some(secret), None, false) if secret.expose().len() >= SHORTEST_SECRET => {
            Ok(SigningKey::Aws(secret.clone()))
        }
        (Some(_), None, false) => Err(Fault::new("the secret has fewer than 16 bytes")
            .with_hint("`openssl rand -base64 30` makes one of 40")
            .discreet()
            .under("secret")),
        _ => Err(
            Fault::new("`aws4-hmac-sha256` needs `secret` as a text, and nothing else")
                .with_hint("write the secret access key: `secret: ${env.…}`"),
        ),
    }
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signers")
            .field("len", &self.all.len())
            .finish_non_exhaustive()
    }
}
