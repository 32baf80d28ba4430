//! Where the keys of an issuer come from.

use std::{fmt, sync::Arc, time::Duration};

use lintel_jose::{Algorithm, Key, Keys, Print, Refusal, Token};
use tokio::time::Instant;

use crate::{Wait, issuer::Issuer};

/// The keys of an issuer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum KeySource {
    Given(Given),
    Fetched(Fetched),
}

/// Keys from the configuration, or from a file that was read with it. The text they were made of
/// tells one source from another.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: Arc<[u8]>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys: Arc<Keys>,
}

/// Keys that the issuer publishes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fetched {
    pub(super) issuer: Arc<Issuer>,
    /// How long a request waits for keys that are on their way; zero if it does not.
    pub(super) patience: Duration,
}

/// What keys say of a token.
pub(super) enum Checked {
    /// One of them signed it.
    Signed(Print),
    /// None of them did.
    Refused(Refusal),
    /// None of them did, but keys that were published since might have.
    Outdated(Refusal),
    /// There are no keys yet, or none that may still be used.
    NoKeys,
}

impl KeySource {
    /// What the keys are numbered with: equal numbers, equal keys. 0 where there are none.
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::Given(_) => 1,
            Self::Fetched(fetched) => fetched.issuer.published().version(),
        }
    }

    /// Whether this very key is still among them.
    pub(super) fn has(&self, print: &Print) -> bool {
        match self {
            Self::Given(given) => given.keys.has(print),
            Self::Fetched(fetched) => {
                let keys = fetched.issuer.published().keys();
                keys.as_ref().is_some_and(|keys| keys.has(print))
            }
        }
    }

    /// Checks a token's signature.
    pub(super) fn check(&self, token: &Token<'_>) -> Checked {
        match self {
            Self::Given(given) => given
                .keys
                .verify(token)
                .map_or_else(Checked::Refused, |key| Checked::Signed(key.print())),
            Self::Fetched(fetched) => {
                let keys = fetched.issuer.published().keys();
                match keys.as_ref() {
                    Some(keys) => check(keys, token),
                    None => Checked::NoKeys,
                }
            }
        }
    }
}

fn check(keys: &Keys, token: &Token<'_>) -> Checked {
    match keys.verify(token) {
        Ok(key) => Checked::Signed(Key::print(key)),
        // A key that is known by its name was tried. Without names, another one may be there now.
        Err(refusal) if token.key_id().is_some_and(|id| keys.names(id)) => {
            Checked::Refused(refusal)
        }
        Err(refusal) => Checked::Outdated(refusal),
    }
}

impl Fetched {
    /// Asks for newer keys. Whether it is worth while to wait for them.
    pub(super) fn ask(&self) -> bool {
        self.issuer.published().ask() && !self.patience.is_zero()
    }

    /// Waits for keys that are on their way, as long as a request may.
    pub(super) async fn arrival(&self, wait: &Wait<'_>) {
        let until = wait.deadline.min(Instant::now() + self.patience);
        let settled = self.issuer.published().settled();
        // What there is then decides.
        let _ = wait.timer.timeout_at(until, settled).await;
    }
}

impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.algorithms == other.algorithms
    }
}

impl fmt::Debug for Given {
    /// Without the text, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Given").field(&self.keys).finish()
    }
}
