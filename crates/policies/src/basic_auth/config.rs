use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use lintel_kernel::{Fault, Secret, config};

use super::{BasicAuth, reject::Challenge, verify::Book};
use crate::{Context, challenge, consumers::Users, described, forward::Forward};

/// Who has a password, and what the upstream is told of them. Consumers with `basic` are always
/// among them.
#[config]
#[schemars(rename = "BasicAuth")]
pub struct Config {
    /// Further users, who are no declared consumers: lines of `name:hash`, as `htpasswd -B` writes
    /// them, with hashes of argon2 or bcrypt.
    #[serde(default)]
    #[schemars(example = &"${file.users.htpasswd}")]
    pub users: Option<Secret>,

    /// Header fields that tell the upstream who is calling: names, and the expressions that give
    /// their values. What clients send under these names is always removed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-User": "auth.credential" }))]
    pub forward: BTreeMap<String, String>,

    /// Whether the upstream gets name and password too. Without it they end here, so that no service
    /// can use them in the caller's name.
    #[serde(default)]
    pub keep_credentials: bool,

    /// What the password is for, as a 401 tells callers; browsers show it.
    #[serde(default = "realm")]
    pub realm: String,
}

fn realm() -> String {
    "api".to_owned()
}

/// Lists of users in use, by their text: one that many routes share is read once.
static LIVE: Mutex<Vec<(Secret, Weak<Users>)>> = Mutex::new(Vec::new());

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<BasicAuth, Vec<Fault>> {
        let mut faults = Vec::new();
        let own = self.users.as_ref();
        let own = own.map(|text| read(text, &context.consumers.users));
        let own = own
            .transpose()
            .map_err(|fault| faults.push(fault.under("users")));
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found));
        let challenge = Challenge::new(&self.realm);
        if challenge.is_none() {
            faults.push(challenge::unquotable("realm"));
        }
        match (own, forward, challenge) {
            (Ok(own), Ok(forward), Some(challenge)) => Ok(BasicAuth {
                book: Book {
                    own,
                    roll: context.roll(),
                },
                challenge,
                forward,
                keep_credentials: self.keep_credentials,
            }),
            _ => Err(faults),
        }
    }
}

fn read(text: &Secret, consumers: &Users) -> Result<Arc<Users>, Fault> {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|(_, users)| users.strong_count() > 0);
    let known = live.iter().find(|(known, _)| known == text);
    let users = match known.and_then(|(_, users)| users.upgrade()) {
        Some(users) => users,
        None => {
            let users = Arc::new(Users::parse(text.expose())?);
            live.push((text.clone(), Arc::downgrade(&users)));
            users
        }
    };
    match consumers.shared_with(&users) {
        None => Ok(users),
        Some(name) => Err(Fault::new(format!(
            "`users` has a name that is one of consumer `{name}`"
        ))
        .with_hint("a name has one password: remove one of them, or rename it")
        .discreet()),
    }
}
