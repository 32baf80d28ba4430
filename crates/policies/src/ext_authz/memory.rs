//! Verdicts that hold for a while.

use std::{fmt, sync::Arc, time::Duration};

use lintel_jose::fingerprint;
use lintel_kernel::{
    Exchange,
    expr::{Expr, Scope},
};
use lintel_state::{Local, Memory};
use tokio::time::Instant;

use super::config::Config;
use crate::{live::Live, verdict::Verdict};

/// What an entry costs beside the verdict: key, counts, table.
const ENTRY: usize = 256;

/// All memories in use: the configuration that comes after a reload goes on with that of the same
/// route, if nothing was changed.
static LIVE: Live<Kept> = Live::new();

/// Verdicts, by what requests have in common.
pub(super) struct Remembered {
    pub(super) by: Vec<Expr>,
    pub(super) allowed: Duration,
    pub(super) denied: Duration,
    bytes: usize,
    kept: Arc<Kept>,
}

struct Kept {
    /// The route, and what it says.
    of: (Option<Arc<str>>, Config),
    since: Instant,
    verdicts: Local<Memory<[u8; 32], Arc<Verdict>>>,
}

/// What a request has in common with others that get the same verdict.
pub(super) struct Key([u8; 32]);

impl Remembered {
    /// Verdicts about requests of a route, so many bytes of them in each worker.
    pub(super) fn new(
        by: Vec<Expr>,
        (allowed, denied): (Duration, Duration),
        bytes: usize,
        route: Option<Arc<str>>,
        config: &Config,
    ) -> Self {
        let kept = LIVE.shared(
            (route, config.clone()),
            |kept| &kept.of,
            |of| Kept {
                of,
                since: Instant::now(),
                verdicts: Local::new(),
            },
        );
        Self {
            by,
            allowed,
            denied,
            bytes,
            kept,
        }
    }

    /// What a request has in common with others. What is absent is a value too.
    pub(super) fn key(&self, exchange: &Exchange) -> Key {
        let mut text = String::new();
        for expr in &self.by {
            match expr.text(Scope::request(exchange)) {
                // The length keeps `ab`, `c` and `a`, `bc` apart.
                Some(value) => {
                    text.push_str(&value.len().to_string());
                    text.push(':');
                    text.push_str(&value);
                }
                None => text.push('-'),
            }
        }
        Key(fingerprint(&text))
    }

    /// What was said of such a request.
    pub(super) fn find(&self, key: &Key) -> Option<Arc<Verdict>> {
        let now = self.now();
        let make = || Memory::new(self.bytes);
        self.kept
            .verdicts
            .with(make, |memory| memory.find(&key.0, now).map(Arc::clone))
    }

    /// Keeps what was said of such a request, for its time.
    pub(super) fn keep(&self, key: Key, verdict: &Arc<Verdict>) {
        let time = match verdict.allows() {
            true => self.allowed,
            false => self.denied,
        };
        if time.is_zero() {
            return;
        }
        let until = self.now().saturating_add(millis(time));
        let (size, verdict) = (ENTRY + verdict.size(), Arc::clone(verdict));
        let make = || Memory::new(self.bytes);
        self.kept
            .verdicts
            .with(make, |memory| memory.remember(key.0, verdict, until, size));
    }

    fn now(&self) -> u64 {
        millis(self.kept.since.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by: Vec<&str> = self.by.iter().map(Expr::source).collect();
        write!(f, "remembers verdicts by {}", by.join(", "))
    }
}
