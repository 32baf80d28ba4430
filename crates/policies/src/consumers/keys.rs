//! Whose an API key is.

use std::{rc::Rc, sync::Arc};

use lintel_kernel::{Consumer, Fault, Identity};
use rustc_hash::FxHashMap;

use super::{
    KeyConfig,
    directory::Twins,
    grant::{Grant, time},
    identities::Identities,
};
use crate::password::Hash;

/// Fewest characters of a prefix; fewer would be shared by too many keys.
const SHORTEST_PREFIX: usize = 4;
/// Slow hashes with one prefix: a key that begins with it may have to be tried against them all.
const MOST_ALIKE: usize = 4;

/// API keys by what is kept of them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    all: Vec<Key>,
    /// By their SHA-256. What is compared are digests of random numbers that nobody can choose, so
    /// how long a comparison takes tells nothing of a key.
    by_digest: FxHashMap<[u8; 32], u32>,
    /// Those with slow hashes, by prefix.
    by_prefix: FxHashMap<Box<str>, Vec<u32>>,
    /// The lengths that prefixes have, the longest first.
    lengths: Vec<usize>,
    identities: Identities,
}

#[derive(Debug)]
struct Key {
    grant: Grant,
    /// Where it is not known by its digest.
    slow: Option<Arc<Hash>>,
}

/// What is known of a key at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup<'a> {
    /// It is this one.
    Found(u32),
    /// It may be one of these; their hashes have to be computed.
    Perhaps(&'a [u32]),
    /// It is none.
    Unknown,
}

impl Keys {
    /// Adds the keys of a consumer; the answer is what is wrong with them.
    pub(super) fn add(&mut self, consumer: &Arc<Consumer>, keys: &[KeyConfig]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, config) in keys.iter().enumerate() {
            if let Err(fault) = self.add_one(consumer, config) {
                faults.push(fault.under(at.to_string()).under("api_keys"));
            }
        }
        faults
    }

    fn add_one(&mut self, consumer: &Arc<Consumer>, config: &KeyConfig) -> Result<(), Fault> {
        let number = u32::try_from(self.all.len()).map_err(|_| Fault::new("too many keys"))?;
        let expires = config.expires.as_deref().map(time).transpose()?;
        let (name, slow) = match (&config.sha256, &config.argon2) {
            (Some(digits), None) => {
                if config.prefix.is_some() {
                    return Err(Fault::new("a key with `sha256` is found without a prefix")
                        .with_hint("remove `prefix`")
                        .under("prefix"));
                }
                let digest = digest(digits).map_err(|fault| fault.under("sha256"))?;
                if let Some(other) = self.by_digest.insert(digest, number) {
                    return Err(self.twice(other).under("sha256"));
                }
                (digits.get(..8).unwrap_or(digits), None)
            }
            (None, Some(hash)) => {
                let hash = Hash::parse(hash.expose()).map_err(|fault| fault.under("argon2"))?;
                let prefix = config.prefix.as_deref().unwrap_or("");
                self.add_prefix(prefix, number)
                    .map_err(|fault| fault.under("prefix"))?;
                (prefix, Some(Arc::new(hash)))
            }
            _ => {
                return Err(Fault::new("a key has one hash: `sha256` or `argon2`").with_hint(
                    "write `sha256: …` as `lintel keys new` prints it; for keys made elsewhere `prefix: …` and `argon2: …`",
                ));
            }
        };
        self.all.push(Key {
            grant: Grant::new(
                config.id.as_deref().unwrap_or(name),
                consumer,
                &config.scopes,
                expires,
            ),
            slow,
        });
        Ok(())
    }

    fn twice(&self, other: u32) -> Fault {
        let owner = self.all.get(other as usize);
        let owner = owner.map_or("", |key| &key.grant.consumer.name);
        Fault::new(format!("this key is already one of consumer `{owner}`"))
            .with_hint("give each consumer keys of its own: `lintel keys new`")
    }

    fn add_prefix(&mut self, prefix: &str, number: u32) -> Result<(), Fault> {
        if prefix.chars().count() < SHORTEST_PREFIX {
            return Err(Fault::new("a key with `argon2` needs a prefix of 4 characters or more")
                .with_hint("write what the key begins with, such as `prefix: pk_live_a1b2`; the rest of it should still be long"));
        }
        let alike = self.by_prefix.entry(prefix.into()).or_default();
        if alike.len() == MOST_ALIKE {
            return Err(Fault::new(format!(
                "there are {MOST_ALIKE} keys already with the prefix `{prefix}`"
            ))
            .with_hint("write more of each key's beginning, so that one can be found among them"));
        }
        alike.push(number);
        if !self.lengths.contains(&prefix.len()) {
            self.lengths.push(prefix.len());
            self.lengths.sort_unstable_by(|a, b| b.cmp(a));
        }
        Ok(())
    }

    /// What is known of a key at first sight, by its SHA-256 and its text.
    pub(super) fn find(&self, digest: &[u8; 32], text: &str) -> Lookup<'_> {
        if let Some(number) = self.by_digest.get(digest) {
            return Lookup::Found(*number);
        }
        let mut prefixes = self.lengths.iter().filter_map(|length| text.get(..*length));
        match prefixes.find_map(|prefix| self.by_prefix.get(prefix)) {
            Some(alike) => Lookup::Perhaps(alike),
            None if self.lengths.is_empty() => Lookup::Unknown,
            None => Lookup::Perhaps(&[]),
        }
    }

    /// Whose a key is.
    pub(super) fn owner(&self, number: u32) -> Option<&Arc<Consumer>> {
        Some(&self.all.get(number as usize)?.grant.consumer)
    }

    /// Keys that are also among others: whose they are here and there.
    pub(super) fn twins<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = Twins<'a>> {
        self.by_digest.iter().filter_map(|(digest, number)| {
            let other = others.by_digest.get(digest)?;
            Some((self.owner(*number)?, others.owner(*other)?))
        })
    }

    /// The hash of a key, where it has a slow one.
    pub(crate) fn hash(&self, number: u32) -> Option<&Arc<Hash>> {
        self.all.get(number as usize)?.slow.as_ref()
    }

    /// The hash that unknown keys are held against.
    pub(crate) fn decoy(&self) -> Option<&Arc<Hash>> {
        self.all.iter().find_map(|key| key.slow.as_ref())
    }

    /// Whom a key stands for, at a time in seconds since 1970.
    ///
    /// # Errors
    /// It has expired; the error is its id, for the log.
    pub(crate) fn identity(&self, number: u32, now: u64) -> Result<Rc<Identity>, Option<&str>> {
        let Some(key) = self.all.get(number as usize) else {
            return Err(None);
        };
        if key.grant.has_expired(now) {
            return Err(Some(&key.grant.id));
        }
        let make = || key.grant.identity("api_key");
        Ok(self.identities.of(number as usize, self.all.len(), make))
    }
}

/// 64 hexadecimal digits.
pub(super) fn digest(digits: &str) -> Result<[u8; 32], Fault> {
    let mut digest = [0; 32];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if pairs.len() != digest.len() || !rest.is_empty() || !all_digits {
        return Err(Fault::new("a SHA-256 has 64 hexadecimal digits").with_hint(
            "write the hash of the key, not the key: `lintel keys new` makes a key and prints its hash",
        ));
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        let digits = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    Ok(digest)
}
