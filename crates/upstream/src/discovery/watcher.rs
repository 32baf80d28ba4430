//! Follows one source, for all services that use it.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use tokio::{runtime::Handle, sync::watch, task::AbortHandle, time};

use super::{
    Kind, Readers, Source, consul, etcd, file,
    found::{Entries, Found},
    kubernetes, srv,
    status::{SourceError, SourceStatus},
};
use crate::{backoff::Backoff, service::Scheme};

/// Every source that is followed.
static LIVE: Mutex<Vec<Weak<Watcher>>> = Mutex::new(Vec::new());

/// Pauses between sessions.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A session that ends earlier was no good one, even if it gave an answer.
const GOOD_SESSION: Duration = Duration::from_secs(10);
/// What is shown of entries that can't be used.
const MAX_NOTES: usize = 5;

/// A source that is followed; ends when dropped.
pub(crate) struct Watcher {
    source: Source,
    news: watch::Receiver<News>,
    task: AbortHandle,
}

/// What is known from a source.
#[derive(Clone, Default)]
pub(crate) struct News {
    /// The last good set, and how many good answers there have been.
    pub(crate) found: Option<Arc<[Found]>>,
    pub(crate) answers: u64,
    /// How many times it has failed.
    pub(crate) failures: u64,
    pub(crate) failing: Option<SourceError>,
    pub(crate) last_success: Option<SystemTime>,
    notes: Vec<String>,
}

impl Watcher {
    /// Follows a source, or joins those who do.
    pub(crate) fn of(source: &Source, readers: Readers, runtime: &Handle) -> Arc<Self> {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|watcher| watcher.strong_count() > 0);
        let known = live
            .iter()
            .filter_map(Weak::upgrade)
            .find(|watcher| watcher.source == *source && !watcher.task.is_finished());
        if let Some(known) = known {
            return known;
        }
        let (sender, news) = watch::channel(News::default());
        let session = Session {
            shown: source.kind.to_string(),
            scheme: source.scheme,
            readers,
            sender,
        };
        let task = runtime
            .spawn(follow(source.kind.clone(), session))
            .abort_handle();
        let watcher = Arc::new(Self {
            source: source.clone(),
            news,
            task,
        });
        live.push(Arc::downgrade(&watcher));
        watcher
    }

    /// What it says, from now on; the present state counts as news.
    pub(crate) fn news(&self) -> watch::Receiver<News> {
        let mut news = self.news.clone();
        news.mark_changed();
        news
    }

    pub(crate) fn status(&self) -> SourceStatus {
        let news = self.news.borrow();
        SourceStatus {
            source: self.source.kind.to_string(),
            last_success: news.last_success,
            failing: news.failing.clone(),
            notes: news.notes.clone(),
            endpoints: news.found.as_ref().map(|found| found.len()),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a source's sessions report to.
pub(super) struct Session {
    shown: String,
    pub(super) scheme: Scheme,
    pub(super) readers: Readers,
    sender: watch::Sender<News>,
}

impl Session {
    /// The source has listed all its endpoints.
    pub(super) fn found(&self, entries: Entries) {
        let entries = match entries.tidied(self.scheme) {
            Ok(entries) => entries,
            Err(error) => return self.failed(&error),
        };
        self.sender.send_modify(|news| {
            self.recovered(news);
            if !entries.unusable.is_empty() && entries.unusable != news.notes {
                let (source, unusable) = (&self.shown, &entries.unusable);
                tracing::warn!(source, ?unusable, "entries of a source can't be used");
            }
            news.notes = entries.unusable;
            news.notes.truncate(MAX_NOTES);
            news.answers += 1;
            if news.found.as_deref() != Some(&*entries.found) {
                news.found = Some(entries.found.into());
            }
        });
    }

    /// The source is in touch and has nothing new to say.
    pub(super) fn alive(&self) {
        self.sender.send_modify(|news| self.recovered(news));
    }

    /// The source does not answer, or not with anything of use.
    pub(super) fn failed(&self, error: &str) {
        self.sender.send_modify(|news| {
            news.failures += 1;
            let failing = news.failing.get_or_insert_with(|| {
                let source = &self.shown;
                tracing::warn!(
                    source,
                    error,
                    "a source fails; its last endpoints stay in use"
                );
                SourceError {
                    error: String::new(),
                    since: SystemTime::now(),
                }
            });
            error.clone_into(&mut failing.error);
        });
    }

    fn recovered(&self, news: &mut News) {
        news.last_success = Some(SystemTime::now());
        if news.failing.take().is_some() {
            tracing::info!(source = self.shown, "the source answers again");
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.sender.borrow().failing.is_some()
    }

    fn answers(&self) -> u64 {
        self.sender.borrow().answers
    }
}

/// Session after session, for ever.
async fn follow(kind: Kind, session: Session) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut short = 0_u32;
    loop {
        let (begun, answers) = (time::Instant::now(), session.answers());
        let ended = one_session(&kind, &session).await;
        let answered = session.answers() > answers;
        if answered && begun.elapsed() >= GOOD_SESSION {
            backoff.reset();
            short = 0;
        } else {
            short += 1;
        }
        match ended {
            // Servers and what stands before them end long sessions now and then.
            Err(error) if answered && short < 2 => {
                tracing::debug!(source = session.shown, error, "session over");
            }
            Err(error) => session.failed(&error),
            Ok(()) if answered => {}
            Ok(()) => session.failed("the connection ended before there was an answer"),
        }
        time::sleep(backoff.pause()).await;
    }
}

async fn one_session(kind: &Kind, session: &Session) -> Result<(), String> {
    match kind {
        Kind::File(source) => file::follow(source, session).await,
        Kind::Srv(source) => srv::follow(source, session).await,
        Kind::Consul(source) => consul::follow(source, session).await,
        Kind::Etcd(source) => etcd::follow(source, session).await,
        Kind::Kubernetes(source) => kubernetes::follow(source, session).await,
    }
}
