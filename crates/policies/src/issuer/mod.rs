//! Keys that an issuer publishes, fetched and kept fresh on the control side.
//!
//! An [`Issuer`] lives as long as a policy uses it; policies with equal sources share one, and so
//! does the configuration that comes after a reload. Building it fetches nothing. Once started, a
//! task fetches the keys, publishes them to the workers, and ends with the issuer. Whatever the
//! issuer does wrong, the last good keys stay in use.

mod age;
mod config;
mod endpoints;
mod fetch;
mod published;
mod refresh;
mod source;
mod story;
#[cfg(test)]
mod tests;
mod url;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use lintel_upstream::Control;
use tokio::task::AbortHandle;

#[cfg(test)]
use self::source::Terms;
pub(crate) use self::{
    config::{AlgorithmName, Fetch},
    published::Published,
    source::{From, Source},
    url::Url,
};
use crate::live::Live;
pub use story::IssuerStatus;

/// Every issuer in use.
static LIVE: Live<Issuer> = Live::new();

/// An issuer whose keys are fetched.
pub struct Issuer {
    source: Source,
    published: Arc<Published>,
    status: Arc<Mutex<IssuerStatus>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Issuer {
    /// The one of this source.
    pub(crate) fn of(source: Source) -> Arc<Self> {
        LIVE.shared(
            source,
            |issuer| &issuer.source,
            |source| Self {
                published: Arc::new(Published::new(source.terms.cooldown)),
                status: Arc::new(Mutex::new(IssuerStatus {
                    source: source.to_string(),
                    ..IssuerStatus::default()
                })),
                source,
                task: Mutex::new(None),
            },
        )
    }

    /// Begins to fetch, unless that has begun before.
    pub(crate) fn start(&self, control: &Control) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        // Requests that come before the task runs wait for it.
        self.published.begin();
        let story = story::Story::new(&control.catalogue, &self.status);
        let source = self.source.clone();
        let kept = refresh::keep_fresh(source, Arc::clone(&self.published), story);
        *task = Some(control.runtime.spawn(kept).abort_handle());
    }

    /// What workers read.
    pub(crate) fn published(&self) -> &Published {
        &self.published
    }

    /// Fetches its keys at once, whether or not they were fetched just now: for an operator who knows
    /// that they have changed. Waits until that is done, well or not; what came of it is in the
    /// [`status`](Self::status).
    pub async fn refresh(&self) {
        self.published.refreshed().await;
    }

    /// How its keys do.
    pub fn status(&self) -> IssuerStatus {
        story::lock(&self.status).clone()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
        self.published.end();
    }
}

impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.source).finish()
    }
}
