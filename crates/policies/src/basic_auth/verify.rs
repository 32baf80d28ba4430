//! Whose a name and a password are.

use std::{borrow::Cow, rc::Rc, sync::Arc};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use lintel_kernel::{Identity, Secret};

use crate::{
    consumers::{Roll, User, Users, View},
    credential::Source,
    password::{self, Checked, Hash},
};

/// Where they stand: in `Authorization`, after the word of the scheme.
pub(super) static SOURCE: Source = Source::Scheme("Basic");

/// With padding or without: clients differ, and nothing else can be meant.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password.
pub(super) struct Credentials {
    name: String,
    password: Secret,
}

impl Credentials {
    /// Reads what follows the word `Basic` (RFC 7617 §2): base64 of UTF-8, in which the first colon
    /// ends the name.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let text = BASE64.decode(text.trim_ascii_end()).ok()?;
        let text = Secret::new(String::from_utf8(text).ok()?);
        let (name, password) = text.expose().split_once(':')?;
        if text.expose().contains(char::is_control) || password.len() > password::LONGEST {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            password: Secret::new(password),
        })
    }
}

/// What comes of a name and a password.
pub(super) enum Verdict {
    /// They stand for somebody.
    Right(Rc<Identity>),
    /// They do not; why, for the log.
    Wrong(Cow<'static, str>),
    /// The hash has to be computed.
    Unknown,
    /// Too many hashes are being computed.
    Busy,
}

/// Everybody who has a password: the policy's own users, and the consumers.
pub(super) struct Book {
    pub(super) own: Option<Arc<Users>>,
    pub(super) roll: Roll,
}

impl Book {
    /// What is known of them without waiting.
    pub(super) fn at_once(&self, given: &Credentials) -> Verdict {
        let (password, view) = (given.password.expose(), self.roll.view());
        let found = self.find(&view, &given.name);
        let Some(hash) = self.hash(&view, found) else {
            return Verdict::Wrong("user_unknown".into());
        };
        match password::check(hash, password) {
            Checked::Good => Self::verdict(found, true),
            Checked::Wrong => Self::verdict(found, false),
            Checked::Unknown => Verdict::Unknown,
        }
    }

    /// Computes what has to be computed.
    pub(super) async fn computed(&self, given: &Credentials) -> Verdict {
        let view = self.roll.view();
        let found = self.find(&view, &given.name);
        let Some(hash) = self.hash(&view, found) else {
            return Verdict::Wrong("user_unknown".into());
        };
        match password::verify(hash, given.password.expose()).await {
            Ok(good) => Self::verdict(found, good),
            Err(password::Busy) => Verdict::Busy,
        }
    }

    fn find<'a>(&'a self, view: &'a View<'_>, name: &str) -> Option<(&'a Users, &'a User)> {
        let own = self.own.as_deref();
        let own = own.and_then(|users| Some((users, users.find(name)?)));
        own.or_else(|| view.user(name))
    }

    /// The hash of the user; of somebody else where there is no such user, so that both take as
    /// long.
    fn hash<'a>(
        &'a self,
        view: &'a View<'_>,
        found: Option<(&'a Users, &'a User)>,
    ) -> Option<&'a Arc<Hash>> {
        if let Some((_, user)) = found {
            return Some(&user.hash);
        }
        let own = self.own.as_ref().and_then(|users| users.decoy());
        own.or_else(|| view.user_decoy())
    }

    fn verdict(found: Option<(&Users, &User)>, good: bool) -> Verdict {
        match found {
            None => Verdict::Wrong("user_unknown".into()),
            Some((users, user)) if good => Verdict::Right(users.identity(user)),
            Some((_, user)) => Verdict::Wrong(format!("password_wrong: {}", user.name()).into()),
        }
    }
}
