//! Whose a key is.

use std::{borrow::Cow, rc::Rc, time::UNIX_EPOCH};

use lintel_kernel::{Exchange, Identity, wall::time_at};

use crate::{
    consumers::{FoundKey, KeyEntry, View},
    keys::checksum,
    password::{self, Checked},
};

/// What comes of a key.
pub(super) enum Verdict {
    /// It stands for somebody.
    Right(Rc<Identity>),
    /// It does not; why, for the log.
    Wrong(Cow<'static, str>),
    /// Its hash has to be computed.
    Unknown,
    /// Too many hashes are being computed.
    Busy,
}

/// What is known of a key without waiting.
pub(super) fn at_once(view: &View<'_>, text: &str, now: u64) -> Verdict {
    if text.len() > password::LONGEST {
        return Verdict::Wrong("key_too_long".into());
    }
    let alike = match view.key(text) {
        FoundKey::Known(key) => return right(key, now),
        FoundKey::Unknown => return Verdict::Wrong(unknown(text)),
        FoundKey::Perhaps(alike) => alike,
    };
    if alike.is_empty() {
        let checked = view.key_decoy().map(|hash| password::check(hash, text));
        return match checked {
            Some(Checked::Unknown) => Verdict::Unknown,
            _ => Verdict::Wrong(unknown(text)),
        };
    }
    for key in alike {
        match key.hash().map(|hash| password::check(hash, text)) {
            Some(Checked::Good) => return right(key, now),
            Some(Checked::Unknown) => return Verdict::Unknown,
            Some(Checked::Wrong) | None => {}
        }
    }
    Verdict::Wrong(unknown(text))
}

/// Computes what has to be computed for a key.
pub(super) async fn computed(view: &View<'_>, text: &str, now: u64) -> Verdict {
    let FoundKey::Perhaps(alike) = view.key(text) else {
        return at_once(view, text, now);
    };
    let nobody = alike.is_empty();
    for key in alike {
        let Some(hash) = key.hash() else {
            continue;
        };
        match password::verify(hash, text).await {
            Ok(true) => return right(key, now),
            Ok(false) => {}
            Err(password::Busy) => return Verdict::Busy,
        }
    }
    if let (true, Some(decoy)) = (nobody, view.key_decoy())
        && password::verify(decoy, text).await.is_err()
    {
        return Verdict::Busy;
    }
    Verdict::Wrong(unknown(text))
}

/// The time of a request in seconds since 1970.
pub(super) fn now(exchange: &Exchange) -> u64 {
    let since = time_at(exchange.received).duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn right(key: KeyEntry<'_>, now: u64) -> Verdict {
    match key.identity(now) {
        Ok(identity) => Verdict::Right(identity),
        Err(Some(id)) => Verdict::Wrong(format!("key_expired: {id}").into()),
        Err(None) => Verdict::Wrong("key_unknown".into()),
    }
}

fn unknown(text: &str) -> Cow<'static, str> {
    match checksum(text) {
        Some(false) => "key_mistyped".into(),
        _ => "key_unknown".into(),
    }
}
