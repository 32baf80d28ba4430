//! All consumers there are: those of the configuration, and those from outside.

use std::{rc::Rc, sync::Arc};

use lintel_jose::{Claims, fingerprint};
use lintel_kernel::{ClientCertificate, Consumer, Identity};
use rustc_hash::FxHashSet;
use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::{
    Directory, Keys, Lookup, Outside, Signer, SigningKey, User, Users, certificates::Ambiguous,
    outside::Seen,
};
use crate::password::Hash;

/// Where policies look consumers up.
#[derive(Clone, Debug)]
pub(crate) struct Roll {
    declared: Arc<Directory>,
    outside: Option<Arc<Outside>>,
}

/// What a request sees of it: all of one moment.
pub(crate) struct View<'a> {
    declared: &'a Directory,
    outside: Seen,
}

/// Some of the consumers.
#[derive(Clone, Copy)]
struct Part<'a> {
    directory: &'a Directory,
    /// Of whom nothing is to be seen.
    hidden: Option<&'a FxHashSet<Arc<str>>>,
}

/// What is known of a key at first sight.
pub(crate) enum FoundKey<'a> {
    /// It is this one.
    Known(KeyEntry<'a>),
    /// It may be one of these; their hashes have to be computed.
    Perhaps(SmallVec<[KeyEntry<'a>; 4]>),
    /// It is none.
    Unknown,
}

/// A key of somebody.
#[derive(Clone, Copy)]
pub(crate) struct KeyEntry<'a> {
    keys: &'a Keys,
    number: u32,
}

/// Consumers as a claim names them.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    claim: String,
    roll: Roll,
}

impl Roll {
    pub(crate) const fn new(declared: Arc<Directory>, outside: Option<Arc<Outside>>) -> Self {
        Self { declared, outside }
    }

    /// All of this moment.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            declared: &self.declared,
            outside: self.outside.as_ref().map(|outside| outside.load()),
        }
    }
}

impl View<'_> {
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let declared = Part {
            directory: self.declared,
            hidden: None,
        };
        let outside = self.outside.iter().flat_map(|layers| {
            let changed = Part {
                directory: &layers.changed.directory,
                hidden: None,
            };
            let base = Part {
                directory: &layers.base.directory,
                hidden: Some(&layers.hidden),
            };
            [changed, base]
        });
        std::iter::once(declared).chain(outside)
    }

    /// What is known of an API key at first sight. Where any key has a slow hash, one that is unknown
    /// takes as long as one that is wrong: it is held against somebody's hash.
    pub(crate) fn key(&self, text: &str) -> FoundKey<'_> {
        let digest = fingerprint(text);
        let (mut perhaps, mut slow) = (SmallVec::new(), false);
        for part in self.parts() {
            let keys = &*part.directory.keys;
            let entry = |number: u32| {
                let shown = keys.owner(number).is_some_and(|own| part.shows(own));
                shown.then_some(KeyEntry { keys, number })
            };
            match keys.find(&digest, text) {
                Lookup::Found(number) => {
                    if let Some(entry) = entry(number) {
                        return FoundKey::Known(entry);
                    }
                }
                Lookup::Perhaps(alike) => {
                    slow = true;
                    perhaps.extend(alike.iter().filter_map(|number| entry(*number)));
                }
                Lookup::Unknown => {}
            }
        }
        match slow {
            true => FoundKey::Perhaps(perhaps),
            false => FoundKey::Unknown,
        }
    }

    /// The hash that unknown keys are held against.
    pub(crate) fn key_decoy(&self) -> Option<&Arc<Hash>> {
        self.parts().find_map(|part| part.directory.keys.decoy())
    }

    /// The user of a name, and those it is one of.
    pub(crate) fn user(&self, name: &str) -> Option<(&Users, &User)> {
        self.parts().find_map(|part| {
            let users = &*part.directory.users;
            let user = users.find(name)?;
            let shown = user.consumer().is_none_or(|own| part.shows(own));
            shown.then_some((users, user))
        })
    }

    /// The hash that the passwords of unknown names are held against.
    pub(crate) fn user_decoy(&self) -> Option<&Arc<Hash>> {
        self.parts().find_map(|part| part.directory.users.decoy())
    }

    /// The signing key with an id.
    pub(crate) fn signer(&self, id: &str) -> Option<&Signer> {
        self.parts().find_map(|part| {
            let signer = part.directory.signers.find(id)?;
            part.shows(signer.consumer()).then_some(signer)
        })
    }

    /// The signing key that signatures of unknown ones are held against, so that both take as long.
    pub(crate) fn signer_decoy(&self, is: impl Fn(&SigningKey) -> bool) -> Option<&Signer> {
        let mut parts = self.parts();
        parts.find_map(|part| part.directory.signers.decoy(&is))
    }

    /// Whom a signing key stands for.
    pub(crate) fn signed_by(&self, signer: &Signer) -> Option<Rc<Identity>> {
        let mut parts = self.parts();
        parts.find_map(|part| part.directory.signers.identity(signer))
    }

    /// Whom a certificate stands for, at a time in seconds since 1970; without a consumer if it is
    /// nobody's.
    ///
    /// # Errors
    /// What it says is said of two consumers.
    pub(crate) fn certificate(
        &self,
        certificate: &ClientCertificate,
        now: u64,
    ) -> Result<Rc<Identity>, Ambiguous> {
        let state = self.outside.as_ref().map_or(0, |layers| layers.number());
        let whose = |fact: &_| {
            let mut parts = self.parts();
            parts.find_map(|part| {
                let own = part.directory.certificates.owner(fact)?;
                part.shows(own).then_some(own)
            })
        };
        let certificates = &self.declared.certificates;
        certificates.identity(certificate, now, state, whose)
    }

    /// The consumer for a claim, of a token of this issuer. One that names the issuer goes before one
    /// that takes any.
    pub(super) fn claimed(&self, subject: &str, issuer: Option<&str>) -> Option<&Arc<Consumer>> {
        let of = |wanted: Option<&str>| {
            let mut parts = self.parts();
            parts.find_map(|part| {
                let own = part.directory.tokens.find(subject, wanted)?;
                part.shows(own).then_some(own)
            })
        };
        let own = issuer.and_then(|issuer| of(Some(issuer)));
        own.or_else(|| of(None))
    }
}

impl Part<'_> {
    fn shows(&self, consumer: &Consumer) -> bool {
        let hidden = self.hidden.filter(|hidden| !hidden.is_empty());
        hidden.is_none_or(|hidden| !hidden.contains(&consumer.name))
    }
}

impl<'a> KeyEntry<'a> {
    /// Its hash, where it has a slow one.
    pub(crate) fn hash(&self) -> Option<&'a Arc<Hash>> {
        self.keys.hash(self.number)
    }

    /// Whom it stands for, at a time in seconds since 1970.
    ///
    /// # Errors
    /// It has expired; the error is its id, for the log.
    pub(crate) fn identity(&self, now: u64) -> Result<Rc<Identity>, Option<&'a str>> {
        self.keys.identity(self.number, now)
    }
}

impl Claimed {
    pub(crate) const fn new(claim: String, roll: Roll) -> Self {
        Self { claim, roll }
    }

    /// The consumer that claims name.
    pub(crate) fn consumer(&self, claims: &Claims) -> Option<Arc<Consumer>> {
        let (subject, issuer) = (claims.text(&self.claim)?, claims.text("iss"));
        self.roll.view().claimed(subject, issuer).map(Arc::clone)
    }

    /// Who somebody is now that was recognised before: consumers from outside may have changed since.
    pub(crate) fn current(&self, identity: Rc<Identity>) -> Rc<Identity> {
        if self.roll.outside.is_none() {
            return identity;
        }
        let text = |name: &str| text(&identity.claims, name);
        let view = self.roll.view();
        let consumer = text(&self.claim).and_then(|own| view.claimed(own, text("iss")));
        let same = match (consumer, &identity.consumer) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before) || now == before,
            (None, None) => true,
            _ => false,
        };
        if same {
            return identity;
        }
        Rc::new(Identity {
            consumer: consumer.map(Arc::clone),
            ..Identity::clone(&identity)
        })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

impl PartialEq for Claimed {
    /// Equal where the same claims name the same consumers.
    fn eq(&self, other: &Self) -> bool {
        let outside = |claimed: &Self| claimed.roll.outside.as_ref().map(Arc::as_ptr);
        self.claim == other.claim
            && outside(self) == outside(other)
            && self.roll.declared.tokens == other.roll.declared.tokens
    }
}
