//! All that is revoked, to be looked up.

use rustc_hash::FxHashMap;

use super::entry::{Entry, What};

/// What a credential says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bearer<'a> {
    /// Its number: the claim `jti`.
    pub token: Option<&'a str>,
    /// Whom it speaks for: the claim `sub`.
    pub subject: Option<&'a str>,
    /// Who has issued it: the claim `iss`.
    pub issuer: Option<&'a str>,
    /// When it was issued, in seconds since 1970. Without that it is taken for as old as can be.
    pub issued: Option<u64>,
}

/// Entries by what they name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    tokens: FxHashMap<Box<str>, Vec<Entry>>,
    subjects: FxHashMap<Box<str>, Vec<Entry>>,
    count: usize,
}

impl Entries {
    /// Adds an entry, or widens the one that names the same. Whether anything has changed.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let (all, name) = self.place(&entry);
        let named = all.entry(name).or_default();
        if let Some(known) = named.iter_mut().find(|known| known.is_like(&entry)) {
            let before = known.clone();
            known.widen(&entry);
            return *known != before;
        }
        named.push(entry);
        self.count += 1;
        true
    }

    /// Removes the entry that names the same. Whether there was one.
    pub(crate) fn remove(&mut self, entry: &Entry) -> bool {
        let (all, name) = self.place(entry);
        let Some(named) = all.get_mut(&name) else {
            return false;
        };
        let before = named.len();
        named.retain(|known| !known.is_like(entry));
        let removed = before - named.len();
        if named.is_empty() {
            all.remove(&name);
        }
        self.count -= removed;
        removed > 0
    }

    /// Forgets what may be forgotten. Whether there was anything.
    pub(crate) fn forget(&mut self, now: u64) -> bool {
        let before = self.count;
        for all in [&mut self.tokens, &mut self.subjects] {
            all.retain(|_, named| {
                named.retain(|entry| entry.until > now);
                !named.is_empty()
            });
        }
        self.count = self.iter().count();
        self.count < before
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.tokens.values().chain(self.subjects.values()).flatten()
    }

    /// Whether one of them means this.
    pub(crate) fn mean(&self, bearer: &Bearer<'_>, now: u64) -> bool {
        if self.count == 0 {
            return false;
        }
        let of = |entry: &Entry| {
            entry.until > now && (entry.issuer.is_empty() || Some(&*entry.issuer) == bearer.issuer)
        };
        let found = |all: &FxHashMap<Box<str>, Vec<Entry>>, name: Option<&str>| {
            let named = name.and_then(|name| all.get(name));
            named.is_some_and(|named| {
                named.iter().any(|entry| {
                    let meant = match entry.what {
                        What::Token(_) => true,
                        What::Subject(_, before) => bearer.issued.unwrap_or(0) <= before,
                    };
                    meant && of(entry)
                })
            })
        };
        found(&self.tokens, bearer.token) || found(&self.subjects, bearer.subject)
    }

    fn place(&mut self, entry: &Entry) -> (&mut FxHashMap<Box<str>, Vec<Entry>>, Box<str>) {
        match &entry.what {
            What::Token(name) => (&mut self.tokens, name.clone()),
            What::Subject(name, _) => (&mut self.subjects, name.clone()),
        }
    }
}
