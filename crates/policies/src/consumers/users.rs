//! Whose a user name is.

use std::{fmt, rc::Rc, sync::Arc};

use lintel_kernel::{Consumer, Fault, Identity};
use rustc_hash::FxHashMap;

use super::{BasicConfig, directory::Twins, identities::Identities};
use crate::password::Hash;

/// Names and the hashes of their passwords.
#[derive(Default)]
pub(crate) struct Users {
    all: Vec<User>,
    by_name: FxHashMap<Box<str>, usize>,
    identities: Identities,
}

/// A name and the hash of its password.
pub(crate) struct User {
    name: Box<str>,
    consumer: Option<Arc<Consumer>>,
    pub(crate) hash: Arc<Hash>,
    number: usize,
}

impl User {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whose name it is, where it is a consumer's.
    pub(super) const fn consumer(&self) -> Option<&Arc<Consumer>> {
        self.consumer.as_ref()
    }
}

impl Users {
    /// Adds the names of a consumer; the answer is what is wrong with them.
    pub(super) fn add(&mut self, consumer: &Arc<Consumer>, config: &[BasicConfig]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, config) in config.iter().enumerate() {
            let name = config.username.as_deref().unwrap_or(&consumer.name);
            let added = check_name(name)
                .map_err(|fault| fault.under("username"))
                .and_then(|()| {
                    let hash =
                        Hash::parse(config.hash.expose()).map_err(|fault| fault.under("hash"))?;
                    self.insert(name, Some(consumer), hash)
                });
            if let Err(fault) = added {
                faults.push(fault.under(at.to_string()).under("basic"));
            }
        }
        faults
    }

    /// Reads lines of `name:hash`, as `htpasswd` writes them. Empty lines and those that begin with
    /// `#` are left out.
    ///
    /// # Errors
    /// The first line that is wrong, by its number. Its text is not told: it may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let mut users = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            users.add_line(line).map_err(|fault| Fault {
                message: format!("line {}: {}", at + 1, fault.message),
                discreet: true,
                ..fault
            })?;
        }
        Ok(users)
    }

    fn add_line(&mut self, line: &str) -> Result<(), Fault> {
        let (name, hash) = line.split_once(':').ok_or_else(|| {
            Fault::new("there is no `:` between a name and a hash")
                .with_hint("each line is `NAME:HASH`, as `htpasswd -nB NAME` prints it")
        })?;
        check_name(name)?;
        self.insert(name, None, Hash::parse(hash)?)
    }

    fn insert(
        &mut self,
        name: &str,
        consumer: Option<&Arc<Consumer>>,
        hash: Hash,
    ) -> Result<(), Fault> {
        let number = self.all.len();
        if self.by_name.contains_key(name) {
            return Err(Fault::new("this user is there already")
                .with_hint("a name has one password: remove one of them, or rename it"));
        }
        self.by_name.insert(name.into(), number);
        self.all.push(User {
            name: name.into(),
            consumer: consumer.map(Arc::clone),
            hash: Arc::new(hash),
            number,
        });
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&User> {
        self.all.get(*self.by_name.get(name)?)
    }

    /// The hash that the passwords of unknown names are held against.
    pub(crate) fn decoy(&self) -> Option<&Arc<Hash>> {
        self.all.first().map(|user| &user.hash)
    }

    /// The consumer of the first name that is also one of others.
    pub(crate) fn shared_with(&self, others: &Self) -> Option<&str> {
        let mut users = self.all.iter();
        let shared = users.find(|user| others.by_name.contains_key(&*user.name))?;
        Some(
            shared
                .consumer
                .as_ref()
                .map_or("", |consumer| &consumer.name),
        )
    }

    /// Names that are also among others: whose they are here and there.
    pub(super) fn twins<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = Twins<'a>> {
        self.all.iter().filter_map(|user| {
            let other = others.find(&user.name)?;
            Some((user.consumer.as_ref()?, other.consumer.as_ref()?))
        })
    }

    /// Whom a name stands for.
    pub(crate) fn identity(&self, user: &User) -> Rc<Identity> {
        let make = || Identity {
            method: "basic_auth",
            consumer: user.consumer.clone(),
            credential: Some(user.name.clone()),
            ..Identity::default()
        };
        self.identities.of(user.number, self.all.len(), make)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("len", &self.all.len())
            .finish_non_exhaustive()
    }
}

/// RFC 7617 §2: a name has no colon, and no control characters.
fn check_name(name: &str) -> Result<(), Fault> {
    let bad = |c: char| c == ':' || c.is_control();
    if name.is_empty() || name.contains(bad) {
        return Err(Fault::new("this can't be a user name").with_hint(
            "a name has at least one character, and neither colons nor control characters",
        ));
    }
    Ok(())
}
