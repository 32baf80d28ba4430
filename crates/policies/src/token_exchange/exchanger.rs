//! Tokens, exchanged once and then remembered.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;
use lintel_jose::fingerprint;
use lintel_state::{Local, Memory};
use lintel_upstream::Control;

use crate::{
    Wait,
    form::encoded,
    live::Live,
    token_endpoint::{Failure, Grant, Granted, Question, TokenEndpoint},
};

static LIVE: Live<Exchanger> = Live::new();

/// What an entry costs beside the token: key, counts, table.
const ENTRY: usize = 256;
/// How long tokens hold where nothing is said of it, in seconds (`expires_in` is no more than
/// recommended, RFC 8693 §2.2.1).
const USUAL_LIFE: u64 = 60;

/// What decides about what a token is exchanged for.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: Arc<TokenEndpoint>,
    /// What is asked for, but for the token.
    pub(super) form: Vec<(&'static str, String)>,
    /// Seconds before its end from which on a token is not used any more.
    pub(super) ahead: u64,
    /// Bytes that each worker remembers.
    pub(super) memory: usize,
}

/// Exchanges tokens. Shared by all workers; what was given is remembered by each for itself.
pub(super) struct Exchanger {
    settings: Settings,
    known: Local<Memory<[u8; 32], HeaderValue>>,
}

impl Exchanger {
    /// The one with these settings.
    pub(super) fn shared(settings: Settings) -> Arc<Self> {
        LIVE.shared(
            settings,
            |one| &one.settings,
            |settings| Self {
                settings,
                known: Local::new(),
            },
        )
    }

    pub(super) fn start(&self, control: &Control) {
        self.settings.endpoint.start(control);
    }

    /// What goes upstream for a token, where it was exchanged before.
    pub(super) fn known(&self, token: &str, now: u64) -> Option<HeaderValue> {
        let key = fingerprint(token);
        let make = || Memory::new(self.settings.memory);
        self.known
            .with(make, |known| known.find(&key, now).cloned())
    }

    /// Exchanges a token that itself `ends` at a time.
    pub(super) async fn ask(
        &self,
        token: &str,
        ends: Option<u64>,
        wait: &Wait<'_>,
    ) -> Result<HeaderValue, Failure> {
        let mut form = self.settings.form.clone();
        form.push(("subject_token", token.to_owned()));
        // What differs in anything is another question.
        let flight = fingerprint(&encoded(&form));
        let question = Question {
            grant: Grant::Exchange,
            form,
            flight: Some(flight),
        };
        let granted = self.settings.endpoint.ask(question, wait).await?;
        let unusable = |what: &str| Failure::Unavailable(what.into());
        let given = granted
            .access_token
            .as_deref()
            .filter(|given| !given.is_empty());
        let given = given.ok_or_else(|| unusable("the answer has no `access_token`"))?;
        let field = HeaderValue::try_from(format!("Bearer {given}"));
        let mut field = field.map_err(|_| unusable("the token can't stand in a header field"))?;
        field.set_sensitive(true);
        let until = until(&granted, self.settings.ahead);
        let until = ends.map_or(until, |ends| until.min(ends));
        let make = || Memory::new(self.settings.memory);
        let (size, kept) = (ENTRY + given.len(), field.clone());
        self.known.with(make, |known| {
            known.remember(fingerprint(token), kept, until, size);
        });
        Ok(field)
    }
}

/// When a token is not to be used any more, in seconds since 1970: some time before it ends, and never
/// less than half of its life after it was given.
pub(super) fn until(granted: &Granted, ahead: u64) -> u64 {
    let life = granted.expires_in.unwrap_or(USUAL_LIFE);
    granted.received.saturating_add(life - ahead.min(life / 2))
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

impl fmt::Display for Exchanger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { endpoint, form, .. } = &self.settings;
        write!(f, "exchanges tokens at {}", endpoint.source())?;
        let asked = form.iter().filter(|(name, _)| !name.contains("_type"));
        for (name, value) in asked {
            write!(f, ", {name} {value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Exchanger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanger")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
