//! Nonces, each accepted once.

use std::{sync::LazyLock, time::Duration};

use lintel_state::limit::{Rule, Table, TokenBucket};

/// How many nonces are remembered that may come again. Beyond, the oldest make room.
const MOST: usize = 100_000;

/// Those of all policies and workers: 5 MB when it is full, touched as nonces come.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(MOST));

/// How long a nonce must not come again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonces {
    rule: Rule,
}

impl Nonces {
    /// For signatures that are good for so many seconds, clocks that disagree included.
    /// `None` for times that can't be counted.
    pub(super) fn new(seconds: u64) -> Option<Self> {
        let rule = TokenBucket::new(1, Duration::from_secs(seconds), 1).ok()?;
        Some(Self {
            rule: Rule::TokenBucket(rule),
        })
    }

    /// Whether a nonce of a key is new; it is not any more then.
    pub(super) fn is_new(&self, key_id: &str, nonce: &str) -> bool {
        let key = TABLE
            .key()
            .bytes(key_id.as_bytes())
            .bytes(nonce.as_bytes())
            .finish();
        TABLE.spend(key, &self.rule, TABLE.now(), 1).outcome.is_ok()
    }
}
