//! Chooses the certificate for a client's hello.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::settings::UnmatchedName;
use crate::hello::{self, Heard, Refusal};
use crate::material::Certified;

/// Certificates by host name. An exact name goes before a wildcard, and a wildcard stands for one
/// label (RFC 9525 §6.3).
#[derive(Debug)]
pub(crate) struct SniResolver {
    exact: HashMap<Box<str>, Choices>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Choices>,
    default: Choices,
    unmatched: UnmatchedName,
}

/// Certificates for one name, of different key types, the one that costs us least first.
#[derive(Clone, Debug, Default)]
struct Choices(Vec<Arc<CertifiedKey>>);

/// A name for which a certificate is never shown, because an earlier one has the same key type.
pub(crate) struct Duplicate {
    pub(crate) index: usize,
    pub(crate) name: String,
}

impl SniResolver {
    /// `default` is an index into `certificates`.
    pub(crate) fn new(
        certificates: &[Certified],
        default: usize,
        unmatched: UnmatchedName,
    ) -> (Self, Vec<Duplicate>) {
        let mut resolver = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            default: Choices::default(),
            unmatched,
        };
        let mut duplicates = Vec::new();
        for (index, certified) in certificates.iter().enumerate() {
            for name in &certified.names {
                if !resolver.slot(name).add(&certified.key) {
                    duplicates.push(Duplicate {
                        index,
                        name: name.clone(),
                    });
                }
            }
        }
        if let Some(certified) = certificates.get(default) {
            resolver.default = match certified.names.first() {
                // Others for the same name serve clients that cannot use this key type.
                Some(name) => resolver.slot(name).clone(),
                None => Choices(vec![Arc::clone(&certified.key)]),
            };
            resolver.default.put_first_of_its_type(&certified.key);
        }
        (resolver, duplicates)
    }

    /// Whether a certificate is for this host name (lower case).
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn slot(&mut self, name: &str) -> &mut Choices {
        match name.strip_prefix("*.") {
            Some(parent) => self.wildcard.entry(parent.into()).or_default(),
            None => self.exact.entry(name.into()).or_default(),
        }
    }

    fn find(&self, name: &str) -> Option<&Choices> {
        self.exact.get(name).or_else(|| {
            let (label, parent) = name.split_once('.')?;
            (!label.is_empty()).then(|| self.wildcard.get(parent))?
        })
    }
}

impl ResolvesServerCert for SniResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let server_name = hello.server_name().map(str::to_ascii_lowercase);
        let found = server_name.as_deref().and_then(|name| self.find(name));
        let chosen = match (found, self.unmatched) {
            (Some(choices), _) => choices.choose(hello.signature_schemes()),
            (None, UnmatchedName::ShowDefault) => self.default.choose(hello.signature_schemes()),
            (None, UnmatchedName::Refuse) if server_name.is_some() => Err(Refusal::UnknownName),
            (None, UnmatchedName::Refuse) => Err(Refusal::NoName),
        };
        hello::leave(Heard {
            server_name: server_name.map(Into::into),
            refusal: chosen.as_ref().err().copied(),
        });
        chosen.ok()
    }
}

impl Choices {
    /// False if there already is one of the same key type.
    fn add(&mut self, key: &Arc<CertifiedKey>) -> bool {
        let rank = rank(key);
        match self.0.iter().position(|known| self::rank(known) >= rank) {
            Some(at)
                if self
                    .0
                    .get(at)
                    .is_some_and(|known| self::rank(known) == rank) =>
            {
                return false;
            }
            Some(at) => self.0.insert(at, Arc::clone(key)),
            None => self.0.push(Arc::clone(key)),
        }
        true
    }

    fn put_first_of_its_type(&mut self, key: &Arc<CertifiedKey>) {
        self.0.retain(|known| rank(known) != rank(key));
        self.add(key);
    }

    /// The first whose key can sign in a way that the client accepts.
    fn choose(&self, schemes: &[SignatureScheme]) -> Result<Arc<CertifiedKey>, Refusal> {
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let chosen = self.0.iter().find(usable);
        chosen.cloned().ok_or(Refusal::NoCommonSignature)
    }
}

/// Cheaper signatures first: ECDSA costs about a twentieth of RSA-2048. Ed25519 comes last but for
/// the unknown, because a client that accepts it may still be unable to check its chain.
fn rank(key: &CertifiedKey) -> u8 {
    match key.key.algorithm() {
        SignatureAlgorithm::ECDSA => 0,
        SignatureAlgorithm::RSA => 1,
        SignatureAlgorithm::ED25519 => 2,
        _ => 3,
    }
}
