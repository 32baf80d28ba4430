//! What one has used, as the operator sees and changes it.

use std::{fmt, sync::Arc, time::Duration};

use lintel_state::{
    ledger::Account,
    store::{Redis, Total},
};

use super::runtime::Quota;

/// Why a count can't be shown or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCount {
    /// Nobody of that name has been counted here.
    Unknown,
    /// The store that it is counted in does not answer.
    StoreAway(String),
}

impl Quota {
    /// What one has used. In a store, somebody of whom it knows nothing has used nothing.
    ///
    /// # Errors
    /// It was never counted here, or the store does not answer.
    pub async fn used(&self, key: &str, now: u64) -> Result<u64, NoCount> {
        match self.shared.as_ref() {
            Some(shared) => self.stored(&shared.store, key, now, Total::Read).await,
            None => Ok(self.known(key)?.value(0, self.period(now))),
        }
    }

    /// Sets what one has used; what that is then.
    ///
    /// # Errors
    /// It was never counted here, or the store does not answer.
    pub async fn set(&self, key: &str, now: u64, used: u64) -> Result<u64, NoCount> {
        if let Some(shared) = &self.shared {
            return self.stored(&shared.store, key, now, Total::Set(used)).await;
        }
        let (account, period) = (self.known(key)?, self.period(now));
        account.set(0, period, used);
        Ok(account.value(0, period))
    }

    /// Adds to what one has used, or takes from it; what that is then.
    ///
    /// # Errors
    /// It was never counted here, or the store does not answer.
    pub async fn add(&self, key: &str, now: u64, more: i64) -> Result<u64, NoCount> {
        if let Some(shared) = &self.shared {
            return self.stored(&shared.store, key, now, Total::Add(more)).await;
        }
        let (account, period) = (self.known(key)?, self.period(now));
        let by = more.unsigned_abs();
        if more < 0 {
            account.take_back(0, period, by);
        } else if account.add(0, period, by, u64::MAX).is_err() {
            account.set(0, period, u64::MAX);
        }
        Ok(account.value(0, period))
    }

    async fn stored(
        &self,
        store: &Arc<Redis>,
        key: &str,
        now: u64,
        total: Total,
    ) -> Result<u64, NoCount> {
        let period = self.period(now);
        let left = Duration::from_secs(period.end.saturating_sub(now));
        let key = self.shared_key_of(store.prefix(), key, period);
        let answer = store.total(key, total, left).await;
        answer.map_err(NoCount::StoreAway)
    }

    fn known(&self, key: &str) -> Result<Arc<Account<1>>, NoCount> {
        let name = format!("{}{key}", self.prefix());
        self.book.ledger().find(&name).ok_or(NoCount::Unknown)
    }
}

impl fmt::Display for NoCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("nothing was counted under this key"),
            Self::StoreAway(why) => write!(f, "the store does not answer: {why}"),
        }
    }
}
