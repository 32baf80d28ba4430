//! Tokens, signed once for each caller and then sent along until they are about to end.

use std::{
    fmt,
    rc::{Rc, Weak as LocalWeak},
    sync::Arc,
};

use http::HeaderValue;
use lintel_kernel::Identity;
use lintel_state::{Local, Memory};
use lintel_telemetry::metrics::{PolicyCounter, family::IDENTITY_TOKENS_SIGNED};
use serde_json::{Map, Value};

use super::keys::Keyring;
use crate::live::Live;

/// What decides about a token, beside who is calling.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) issuer: Box<str>,
    pub(super) audience: Vec<Arc<str>>,
    /// Seconds that a token is valid.
    pub(super) lifetime: u64,
    /// Claims that are copied.
    pub(super) claims: Vec<String>,
    /// What stands before the token.
    pub(super) scheme: &'static str,
    pub(super) keys: Arc<Keyring>,
}

/// Makes tokens. Routes with equal settings share one; each worker remembers what it has made.
pub(super) struct Mint {
    settings: Settings,
    /// By the address of an identity. The weak reference beside each token keeps the address from
    /// being another one's.
    made: Local<Memory<usize, Made>>,
    signed: PolicyCounter,
}

struct Made {
    field: HeaderValue,
    _whose: LocalWeak<Identity>,
}

static LIVE: Live<Mint> = Live::new();

/// Bytes of tokens that each worker remembers.
const MEMORY: usize = 8 << 20;
/// What an entry of the memory costs beside its token: key, counts, table, the identity's place.
const ENTRY: usize = 320;
/// The least that a token is valid for, even of a caller whose own has just ended: both were accepted
/// within the leeway of clocks.
const LEAST: u64 = 5;

impl Mint {
    /// The mint with these settings.
    pub(super) fn shared(settings: Settings) -> Arc<Self> {
        LIVE.shared(
            settings,
            |mint| &mint.settings,
            |settings| Self {
                settings,
                made: Local::new(),
                signed: PolicyCounter::new(&IDENTITY_TOKENS_SIGNED, &[]),
            },
        )
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The field that says who is calling, at a time in seconds since 1970. `None` for callers of whom
    /// nothing is known.
    pub(super) fn field(&self, whose: &Rc<Identity>, now: u64) -> Option<HeaderValue> {
        let key = Rc::as_ptr(whose).addr();
        let make = || Memory::new(MEMORY);
        let find = |made: &mut Memory<_, Made>| made.find(&key, now).map(|made| made.field.clone());
        if let Some(field) = self.made.with(make, find) {
            return Some(field);
        }
        let (claims, until) = self.claims(whose, now)?;
        let key_in_use = self.settings.keys.current();
        key_in_use.used_until(until);
        let token = key_in_use.signer.sign(&claims);
        self.signed.inc();
        let mut field = HeaderValue::from_maybe_shared(bytes::Bytes::from(
            self.settings.scheme.to_owned() + &token,
        ))
        .ok()?;
        // No table of HTTP/2 is to hold it (RFC 7541 §7.1.3).
        field.set_sensitive(true);
        // A third of its time is left for the way to the service.
        let remembered = now + (until - now) * 2 / 3;
        let made = Made {
            field: field.clone(),
            _whose: Rc::downgrade(whose),
        };
        let size = ENTRY + field.len();
        self.made
            .with(make, |all| all.remember(key, made, remembered, size));
        Some(field)
    }

    fn claims(&self, whose: &Identity, now: u64) -> Option<(Map<String, Value>, u64)> {
        let settings = &self.settings;
        let text = |name: &str| whose.claims.get(name).and_then(Value::as_str);
        let consumer = whose.consumer.as_deref();
        // The user of `basic_auth` has no claims; a token's credential is only the name of its key.
        let credential = whose
            .credential
            .as_deref()
            .filter(|_| whose.claims.is_empty());
        let subject = text("sub")
            .or_else(|| consumer.map(|consumer| &*consumer.name))
            .or_else(|| text("subject"))
            .or(credential);
        if subject.is_none() && whose.claims.is_empty() {
            return None;
        }
        let mut until = now + settings.lifetime;
        if let Some(end) = whose.claims.get("exp").and_then(Value::as_f64) {
            // Whole seconds, and never beyond `until`.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the cast saturates"
            )]
            let end = end as u64;
            until = until.min(end.max(now + LEAST));
        }
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        for name in &settings.claims {
            if let Some(value) = whose.claims.get(name) {
                set(name, value.clone());
            }
        }
        set("iss", settings.issuer.as_ref().into());
        set("aud", audience(&settings.audience));
        set("iat", now.into());
        set("exp", until.into());
        set("auth", whose.method.into());
        let scope = whose.scopes.join(" ");
        for (name, value) in [
            ("sub", subject),
            ("auth_iss", text("iss")),
            ("consumer", consumer.map(|consumer| &*consumer.name)),
            (
                "plan",
                consumer.and_then(|consumer| consumer.plan.as_deref()),
            ),
            ("scope", Some(&*scope).filter(|scope| !scope.is_empty())),
        ] {
            if let Some(value) = value {
                set(name, value.into());
            }
        }
        Some((claims, until))
    }
}

/// One text, or a list of them (RFC 7519 §4.1.3).
fn audience(all: &[Arc<str>]) -> Value {
    match all {
        [one] => Value::from(&**one),
        all => all.iter().map(|one| Value::from(&**one)).collect(),
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        self.issuer == other.issuer
            && self.audience == other.audience
            && self.lifetime == other.lifetime
            && self.claims == other.claims
            && self.scheme == other.scheme
            && Arc::ptr_eq(&self.keys, &other.keys)
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
