//! Tokens, verified once and then remembered.

use std::{
    fmt,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use lintel_jose::{Claims, Refusal, Rules, Token, fingerprint};
use lintel_kernel::{Consumer, Identity};
use lintel_state::{Local, Memory};
use serde_json::Value;

use super::key_source::KeySource;
use crate::consumers::Tokens;

/// All verifiers in use: routes with equal settings share one, and so does the configuration that
/// comes after a reload.
static LIVE: Mutex<Vec<Weak<Verifier>>> = Mutex::new(Vec::new());

/// A token is looked at anew after this many seconds, however long it is valid.
const REMEMBERED_FOR: u64 = 3600;
/// What an entry of the memory costs beside the text of its claims: key, counts, table.
const ENTRY: usize = 256;

/// What decides about a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) rules: Rules,
    pub(super) keys: KeySource,
    /// The claim that holds scopes; by default `scope` (RFC 8693 §4.2) or else `scp`.
    pub(super) scope_claim: Option<String>,
    /// The claim that names the consumer, and the consumers.
    pub(super) consumers: Option<(String, Arc<Tokens>)>,
    /// Bytes of verified tokens that each worker remembers.
    pub(super) memory: usize,
}

/// Verifies tokens. Shared by all workers; what was verified is remembered by each for itself.
pub(super) struct Verifier {
    settings: Settings,
    remembered: Local<Memory<[u8; 32], Rc<Identity>>>,
}

impl Verifier {
    /// The verifier with these settings.
    pub(super) fn shared(settings: Settings) -> Arc<Self> {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|verifier| verifier.strong_count() > 0);
        let mut known = live.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|verifier| verifier.settings == settings) {
            return known;
        }
        let verifier = Arc::new(Self::new(settings));
        live.push(Arc::downgrade(&verifier));
        verifier
    }

    fn new(settings: Settings) -> Self {
        Self {
            settings,
            remembered: Local::new(),
        }
    }

    /// Who a token speaks for, at a time in seconds since 1970.
    pub(super) fn verify(&self, text: &str, now: u64) -> Result<Rc<Identity>, Refusal> {
        let key = fingerprint(text);
        let make = || Memory::new(self.settings.memory);
        let find = |tokens: &mut Memory<_, _>| tokens.find(&key, now).map(Rc::clone);
        if let Some(identity) = self.remembered.with(make, find) {
            return Ok(identity);
        }
        let (identity, until) = self.verify_anew(text, now)?;
        let until = until
            .unwrap_or(u64::MAX)
            .min(now.saturating_add(REMEMBERED_FOR));
        let size = ENTRY + text.len();
        self.remembered.with(make, |tokens| {
            tokens.remember(key, Rc::clone(&identity), until, size);
        });
        Ok(identity)
    }

    fn verify_anew(&self, text: &str, now: u64) -> Result<(Rc<Identity>, Option<u64>), Refusal> {
        let token = Token::parse(text)?;
        self.settings.keys.keys.verify(&token)?;
        let claims = token.claims()?;
        let until = self.settings.rules.check(&token, &claims, now)?;
        Ok((Rc::new(self.identity(&token, claims)), until))
    }

    fn identity(&self, token: &Token<'_>, claims: Claims) -> Identity {
        let scopes = match &self.settings.scope_claim {
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
            consumer: self.consumer(&claims),
            credential: token.key_id().map(Box::from),
            scopes,
            claims: claims.into_map(),
        }
    }

    fn consumer(&self, claims: &Claims) -> Option<Arc<Consumer>> {
        let (claim, consumers) = self.settings.consumers.as_ref()?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let consumer = consumers.find(claims.get(claim)?.as_str()?, issuer);
        consumer.map(Arc::clone)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
