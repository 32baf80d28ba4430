//! Whose a key is.

use std::{borrow::Cow, rc::Rc, time::UNIX_EPOCH};

use lintel_kernel::{Exchange, Identity, wall::time_at};

use crate::{
    consumers::{Keys, Lookup},
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
pub(super) fn at_once(keys: &Keys, text: &str, now: u64) -> Verdict {
    if text.len() > password::LONGEST {
        return Verdict::Wrong("key_too_long".into());
    }
    match keys.find(text) {
        Lookup::Found(number) => right(keys, number, now),
        Lookup::Unknown => Verdict::Wrong(unknown(text)),
        Lookup::Perhaps([]) => match keys.decoy().map(|hash| password::check(hash, text)) {
            Some(Checked::Unknown) => Verdict::Unknown,
            _ => Verdict::Wrong(unknown(text)),
        },
        Lookup::Perhaps(alike) => {
            for number in alike {
                match keys.hash(*number).map(|hash| password::check(hash, text)) {
                    Some(Checked::Good) => return right(keys, *number, now),
                    Some(Checked::Unknown) => return Verdict::Unknown,
                    Some(Checked::Wrong) | None => {}
                }
            }
            Verdict::Wrong(unknown(text))
        }
    }
}

/// Computes what has to be computed for a key.
pub(super) async fn computed(keys: &Keys, text: &str, now: u64) -> Verdict {
    let Lookup::Perhaps(alike) = keys.find(text) else {
        return at_once(keys, text, now);
    };
    for number in alike {
        let Some(hash) = keys.hash(*number) else {
            continue;
        };
        match password::verify(hash, text).await {
            Ok(true) => return right(keys, *number, now),
            Ok(false) => {}
            Err(password::Busy) => return Verdict::Busy,
        }
    }
    if let ([], Some(decoy)) = (alike, keys.decoy())
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

fn right(keys: &Keys, number: u32, now: u64) -> Verdict {
    match keys.identity(number, now) {
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
