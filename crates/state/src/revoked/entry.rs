//! One thing that is revoked.

use std::fmt::Write as _;

/// What is revoked, of whom, and for how long that has to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is meant.
    pub what: What,
    /// Whose tokens are meant: their claim `iss`; empty for those of any issuer.
    pub issuer: Box<str>,
    /// When it may be forgotten, in seconds since 1970: nothing that it means lives longer.
    pub until: u64,
}

/// What is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One token, by its number (`jti`, RFC 7519 §4.1.7).
    Token(Box<str>),
    /// All that somebody (`sub`, §4.1.2) was given up to a second, in seconds since 1970.
    Subject(Box<str>, u64),
}

/// The longest name that is revoked, in bytes: no token that fits a request has a longer one of use.
pub const LONGEST_NAME: usize = 1024;

impl Entry {
    /// The name: a `jti` or a `sub`.
    pub const fn name(&self) -> &str {
        match &self.what {
            What::Token(name) | What::Subject(name, _) => name,
        }
    }

    /// What tells it from others in a store: its kind, the length of its name in bytes, and both
    /// names. Its times are no part of that.
    pub(crate) fn id(&self) -> String {
        let (kind, name) = match &self.what {
            What::Token(name) => ('t', name),
            What::Subject(name, _) => ('s', name),
        };
        let mut id = String::with_capacity(name.len() + self.issuer.len() + 8);
        // Writing to a string does not fail.
        let _ = write!(id, "{kind}{}:{name}{}", name.len(), self.issuer);
        id
    }

    /// The last second that it means, for the kind that has one.
    pub(crate) const fn before(&self) -> u64 {
        match self.what {
            What::Token(_) => 0,
            What::Subject(_, before) => before,
        }
    }

    /// What a store holds. None for what no gateway has put there.
    pub(crate) fn read(id: &str, before: u64, until: u64) -> Option<Self> {
        let (head, names) = id.split_once(':')?;
        let length = head.get(1..)?.parse().ok()?;
        let (name, issuer) = names.split_at_checked(length)?;
        let what = match head.get(..1)? {
            "t" => What::Token(name.into()),
            "s" => What::Subject(name.into(), before),
            _ => return None,
        };
        Some(Self {
            what,
            issuer: issuer.into(),
            until,
        })
    }

    /// Whether both name the same, whatever their times are.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same_kind = match (&self.what, &other.what) {
            (What::Token(own), What::Token(other))
            | (What::Subject(own, _), What::Subject(other, _)) => own == other,
            _ => false,
        };
        same_kind && self.issuer == other.issuer
    }

    /// Takes over what the other revokes beyond this.
    pub(crate) fn widen(&mut self, other: &Self) {
        self.until = self.until.max(other.until);
        if let (What::Subject(_, own), What::Subject(_, before)) = (&mut self.what, &other.what) {
            *own = (*own).max(*before);
        }
    }
}
