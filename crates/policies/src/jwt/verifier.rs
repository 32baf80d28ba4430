//! Tokens, verified once and then remembered.

use std::{cell::Cell, fmt, rc::Rc, sync::Arc};

use lintel_jose::{Claims, Print, Refusal, Rules, Token};
use lintel_kernel::Identity;
use lintel_state::{Local, revoked::Revoked};
use serde_json::Value;

use super::{
    key_source::{Checked, Fetched, KeySource},
    remembered::Remembered,
};
use crate::{consumers::Claimed, issuer::Issuer, live::Live, revocation::bearer};

/// All verifiers in use: routes with equal settings share one, and so does the configuration that
/// comes after a reload.
static LIVE: Live<Verifier> = Live::new();

/// A token is looked at anew after this many seconds, however long it is valid.
const REMEMBERED_FOR: u64 = 3600;

/// What decides about a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// Never two with the same name, and one without a name only alone.
    pub(super) issuers: Vec<Trusted>,
    /// The consumers, by the claim that names them.
    pub(super) consumers: Option<Claimed>,
    /// Bytes of verified tokens that each worker remembers.
    pub(super) memory: usize,
    /// What is revoked, also of what is remembered.
    pub(super) revoked: Arc<Revoked>,
}

/// An issuer that is believed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trusted {
    /// The claim `iss` of its tokens; none for any.
    pub(super) name: Option<String>,
    pub(super) keys: KeySource,
    pub(super) rules: Rules,
    /// The claim that holds scopes; by default `scope` (RFC 8693 §4.2) or else `scp`.
    pub(super) scope_claim: Option<String>,
}

/// Why nobody is believed to be calling.
#[derive(Debug, PartialEq)]
pub(super) enum Unverified<'a> {
    /// The token is no good.
    Refused(Refusal),
    /// Keys that may be fetched might make a difference. Without a refusal there are none yet.
    Keys(&'a Fetched, Option<Refusal>),
    /// It was good, and is taken back.
    Revoked,
}

/// Verifies tokens. Shared by all workers; what was verified is remembered by each for itself.
pub(super) struct Verifier {
    settings: Settings,
    remembered: Local<Remembered<Verified>>,
}

/// A token that was verified.
struct Verified {
    identity: Rc<Identity>,
    /// Its issuer among those of the settings.
    issuer: usize,
    /// The key that signed it.
    print: Print,
    /// The number of the keys among which that key was last seen.
    seen: Cell<u64>,
    /// The number of the list of what is revoked on which it was last looked for in vain.
    cleared: Cell<Option<u64>>,
}

impl Verifier {
    /// The verifier with these settings.
    pub(super) fn shared(settings: Settings) -> Arc<Self> {
        LIVE.shared(
            settings,
            |verifier| &verifier.settings,
            |settings| Self {
                settings,
                remembered: Local::new(),
            },
        )
    }

    /// The issuers whose keys are fetched.
    pub(super) fn fetched(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        let all = self.settings.issuers.iter();
        all.filter_map(|trusted| match &trusted.keys {
            KeySource::Fetched(fetched) => Some(&fetched.issuer),
            KeySource::Given(_) => None,
        })
    }

    /// Who a token speaks for, at a time in seconds since 1970.
    pub(super) fn verify(&self, text: &str, now: u64) -> Result<Rc<Identity>, Unverified<'_>> {
        let make = || Remembered::new(self.settings.memory);
        let find = |tokens: &mut Remembered<Verified>| {
            let found = tokens.find(text, now).filter(|found| self.holds(found));
            found.map(|found| self.standing(found, now))
        };
        if let Some(standing) = self.remembered.with(make, find) {
            return standing;
        }
        let (verified, until) = self.verify_anew(text, now)?;
        let identity = self.standing(&verified, now)?;
        let until = until
            .unwrap_or(u64::MAX)
            .min(now.saturating_add(REMEMBERED_FOR));
        self.remembered
            .with(make, |tokens| tokens.remember(text, verified, until));
        Ok(identity)
    }

    /// Who a token speaks for that was verified, unless it is revoked. It is looked for when the list
    /// has changed, and not for each request.
    fn standing(&self, verified: &Verified, now: u64) -> Result<Rc<Identity>, Unverified<'_>> {
        let revoked = &self.settings.revoked;
        let number = Some(revoked.number());
        if verified.cleared.get() != number {
            if revoked.means(&bearer(&verified.identity.claims), now) {
                return Err(Unverified::Revoked);
            }
            verified.cleared.set(number);
        }
        let identity = Rc::clone(&verified.identity);
        Ok(match &self.settings.consumers {
            Some(consumers) => consumers.current(identity),
            None => identity,
        })
    }

    /// Whether the key that signed a token is still one of its issuer's.
    fn holds(&self, verified: &Verified) -> bool {
        let Some(trusted) = self.settings.issuers.get(verified.issuer) else {
            return false;
        };
        let version = trusted.keys.version();
        if version == verified.seen.get() {
            return true;
        }
        let holds = trusted.keys.has(&verified.print);
        if holds {
            verified.seen.set(version);
        }
        holds
    }

    fn verify_anew(&self, text: &str, now: u64) -> Result<(Verified, Option<u64>), Unverified<'_>> {
        let token = Token::parse(text).map_err(Unverified::Refused)?;
        let claims = token.claims().map_err(Unverified::Refused)?;
        let (issuer, trusted) = self
            .issuer(&claims)
            .ok_or(Unverified::Refused(Refusal::Issuer))?;
        let seen = trusted.keys.version();
        let print = match (trusted.keys.check(&token), &trusted.keys) {
            (Checked::Signed(print), _) => print,
            (Checked::Outdated(refusal), KeySource::Fetched(keys)) => {
                return Err(Unverified::Keys(keys, Some(refusal)));
            }
            (Checked::NoKeys, KeySource::Fetched(keys)) => {
                return Err(Unverified::Keys(keys, None));
            }
            (Checked::Refused(refusal) | Checked::Outdated(refusal), _) => {
                return Err(Unverified::Refused(refusal));
            }
            (Checked::NoKeys, _) => return Err(Unverified::Refused(Refusal::UnknownKey)),
        };
        let until = trusted.rules.check(&token, &claims, now);
        let until = until.map_err(Unverified::Refused)?;
        let consumers = self.settings.consumers.as_ref();
        let consumer = consumers.and_then(|all| all.consumer(&claims));
        let verified = Verified {
            identity: Rc::new(Identity {
                consumer,
                ..trusted.identity(&token, claims)
            }),
            issuer,
            print,
            seen: Cell::new(seen),
            cleared: Cell::new(None),
        };
        Ok((verified, until))
    }

    /// The issuer that a token names, found before its signature is looked at: it says only which
    /// keys have to prove it.
    fn issuer(&self, claims: &Claims) -> Option<(usize, &Trusted)> {
        let own = claims.text("iss");
        let mut all = self.settings.issuers.iter().enumerate();
        all.find(|(_, trusted)| trusted.name.is_none() || trusted.name.as_deref() == own)
    }
}

impl Trusted {
    fn identity(&self, token: &Token<'_>, claims: Claims) -> Identity {
        let scopes = match &self.scope_claim {
            Some(name) => claims.get(name),
            None => claims.get("scope").or_else(|| claims.get("scp")),
        };
        let texts = |all: &Vec<Value>| {
            let texts = all.iter().filter_map(Value::as_str);
            texts.map(Box::from).collect()
        };
        let scopes = match scopes {
            Some(Value::String(text)) => text.split_ascii_whitespace().map(Box::from).collect(),
            Some(Value::Array(all)) => texts(all),
            _ => Vec::new(),
        };
        Identity {
            method: "jwt",
            consumer: None,
            credential: token.key_id().map(Box::from),
            scopes,
            claims: claims.into_map(),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
