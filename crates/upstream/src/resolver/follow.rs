//! Brings what a source says to one service.

use std::{sync::Arc, time::UNIX_EPOCH};

use lintel_telemetry::{
    Catalogue,
    metrics::{Family, SharedGauge, family},
};
use tokio::sync::watch;

use super::Control;
use crate::{
    discovery::{Discover, News, Watcher},
    service::{Members, Taken},
};

/// A service's ear at its source.
pub(super) struct Following {
    members: Arc<Members>,
    news: watch::Receiver<News>,
    /// Keeps the source followed.
    _watcher: Arc<Watcher>,
    /// How many answers and failures were heard of.
    heard: (u64, u64),
    counts: Counts,
}

impl Following {
    pub(super) fn start(
        discover: &Discover,
        service: &str,
        members: &Arc<Members>,
        control: &Control,
    ) -> Self {
        let watcher = Watcher::of(&discover.source, control.readers, &control.runtime);
        members.followed_by(&watcher);
        Self {
            members: Arc::clone(members),
            news: watcher.news(),
            _watcher: watcher,
            heard: (0, 0),
            counts: Counts::new(service, control),
        }
    }

    fn hear(&mut self) {
        let news = self.news.borrow_and_update().clone();
        let (answers, failures) = self.heard;
        if news.answers != answers
            && let Some(found) = &news.found
        {
            let result = match self.members.discovered(found) {
                Taken::Applied => {
                    let (service, endpoints) = (&*self.counts.service, found.len());
                    tracing::info!(service, endpoints, "endpoints discovered");
                    "applied"
                }
                Taken::Unchanged => "unchanged",
                Taken::Empty => {
                    let service = &*self.counts.service;
                    tracing::warn!(
                        service,
                        "its source lists no endpoint; the last ones stay in use"
                    );
                    "empty"
                }
            };
            self.counts.updates(result, 1);
            self.counts
                .endpoints
                .set(found.len().try_into().unwrap_or(i64::MAX));
        }
        if news.failures != failures {
            self.members.source_failed();
            self.counts
                .updates("failed", news.failures.saturating_sub(failures));
        }
        if let Some(at) = news.last_success {
            let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.counts.last_success.set(at.as_secs().cast_signed());
        }
        self.counts.failing.set(news.failing.is_some().into());
        self.heard = (news.answers, news.failures);
    }
}

/// Ready when something was heard and passed on; never where there is no source.
///
/// # Cancel safety
///
/// What was not passed on is heard the next time.
pub(super) async fn next(following: &mut Option<Following>) {
    let Some(following) = following else {
        return std::future::pending().await;
    };
    match following.news.changed().await {
        Ok(()) => following.hear(),
        // The control runtime shuts down.
        Err(_) => std::future::pending().await,
    }
}

/// What is counted; the gauges go when nobody follows any more.
struct Counts {
    service: Arc<str>,
    catalogue: Arc<Catalogue>,
    endpoints: SharedGauge,
    last_success: SharedGauge,
    failing: SharedGauge,
}

/// What belongs to the service for as long as it is followed.
static GAUGES: [&Family; 3] = [
    &family::DISCOVERY_ENDPOINTS,
    &family::DISCOVERY_LAST_SUCCESS,
    &family::DISCOVERY_FAILING,
];

impl Counts {
    fn new(service: &str, control: &Control) -> Self {
        let gauge = |family: &'static Family| control.catalogue.gauge(family, &[service]);
        Self {
            service: service.into(),
            endpoints: gauge(&family::DISCOVERY_ENDPOINTS),
            last_success: gauge(&family::DISCOVERY_LAST_SUCCESS),
            failing: gauge(&family::DISCOVERY_FAILING),
            catalogue: Arc::clone(&control.catalogue),
        }
    }

    fn updates(&self, result: &str, count: u64) {
        self.catalogue
            .counter(&family::DISCOVERY_UPDATES, &[&self.service, result])
            .add(count);
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        for family in GAUGES {
            self.catalogue.release(family, &[&self.service]);
        }
    }
}
