//! Where entries come from.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lintel_kernel::beside::Beside;
use lintel_state::store::{News, Record, RecordTerms, Records};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    file,
    register::{Register, Status},
    state::Terms,
};
use crate::{
    diagnostic::Style,
    loaded::{Known, Loader},
};

/// Where entries come from.
pub(crate) enum Source {
    File(Arc<FileSource>),
    Store(StoreSource),
}

/// A store; lives on where it is the same in another configuration.
pub(crate) struct StoreSource {
    pub(super) records: Records,
    told: Arc<Told>,
}

/// Whom the store tells.
#[derive(Default)]
struct Told(Mutex<Option<Arc<Register>>>);

/// A file that is looked at again and again.
pub(crate) struct FileSource {
    path: PathBuf,
    poll: Duration,
    most: usize,
    /// What the file is held against before it is taken over.
    terms: Terms,
    started: AtomicBool,
    story: Mutex<Story>,
}

#[derive(Default)]
struct Story {
    seen: Option<Seen>,
    /// What was read last; see [`Written::mark`](file::Written).
    mark: Option<u64>,
    heard: Option<u64>,
    failing: Option<String>,
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    modified: SystemTime,
    size: u64,
    number: u64,
}

/// File systems tell times apart that lie this far from each other, and sooner than that a file may
/// change without a trace.
const GRAIN: Duration = Duration::from_secs(2);

static FILES: Beside = Beside::new("lintel-files");

impl Source {
    pub(crate) fn store(terms: RecordTerms) -> Self {
        let told = Arc::<Told>::default();
        let news: Arc<dyn News> = Arc::clone(&told) as _;
        Self::Store(StoreSource {
            records: Records::new(terms, news),
            told,
        })
    }

    pub(crate) fn file(
        path: PathBuf,
        poll: Duration,
        most: usize,
        terms: Terms,
        (seen, mark): (Option<Seen>, Option<u64>),
    ) -> Self {
        Self::File(Arc::new(FileSource {
            story: Mutex::new(Story {
                seen,
                mark,
                heard: Some(now()),
                failing: None,
            }),
            path,
            poll,
            most,
            terms,
            started: AtomicBool::new(false),
        }))
    }

    /// The file that it is, if what was read of it last is in use.
    pub(crate) fn known(&self) -> Option<Known> {
        let Self::File(file) = self else { return None };
        let story = file.story();
        let mark = story.mark.filter(|_| story.failing.is_none())?;
        let path = file.path.clone();
        Some(Known { path, mark })
    }

    /// Whether it is this store.
    pub(crate) fn is_store(&self, terms: &RecordTerms) -> bool {
        matches!(self, Self::Store(store) if store.records.terms() == terms)
    }

    pub(super) fn start(&self, register: &Arc<Register>) {
        match self {
            Self::File(file) => file.start(register),
            Self::Store(store) => {
                store.told.attach(register);
                store.records.start();
            }
        }
    }

    pub(super) fn status(&self, status: Status) -> Status {
        let (source, (heard, failing)) = match self {
            Self::File(file) => {
                let story = file.story();
                let source = file.path.display().to_string();
                (source, (story.heard, story.failing.clone()))
            }
            Self::Store(store) => {
                let records = &store.records;
                (records.terms().store.name().to_string(), records.status())
            }
        };
        Status {
            source,
            heard,
            failing,
            ..status
        }
    }
}

impl News for Told {
    fn take(&self, changed: Vec<Record>, whole: bool) {
        let register = self.register();
        if let Some(register) = &*register {
            let known = if whole {
                register.others(&changed)
            } else {
                Vec::new()
            };
            register.take([known, changed].concat());
        }
    }
}

impl Told {
    /// From now on this one is told; what another has learnt since this one was built is made up for.
    fn attach(&self, register: &Arc<Register>) {
        let mut told = self.register();
        if let Some(before) = told.replace(Arc::clone(register))
            && !Arc::ptr_eq(&before, register)
            && !register.follows(&before)
        {
            register.follow(&before);
        }
    }

    fn register(&self) -> MutexGuard<'_, Option<Arc<Register>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileSource {
    fn start(self: &Arc<Self>, register: &Arc<Register>) {
        if self.started.swap(true, SeqCst) {
            return;
        }
        let (file, register) = (Arc::downgrade(self), Arc::downgrade(register));
        if !FILES.run(move || follow(file, register)) {
            tracing::error!("the file of consumers can't be watched: there is no thread for it");
        }
    }

    /// Looks at the file, and takes it over if it has changed.
    fn look(&self, register: &Register) {
        let present = Seen::of(&self.path);
        if present.is_some() && self.story().seen == present {
            return;
        }
        let written = file::open(&self.path);
        let mark = written.mark;
        if mark.is_some() && self.story().mark == mark {
            self.story().seen = present;
            return;
        }
        let trial = Register::new(self.terms.clone());
        let loader = Loader::new();
        let read = file::read(written, &loader.environment_used(), self.most, &trial);
        let failing = match read {
            Ok(records) => {
                self.tell(register, records);
                None
            }
            Err(report) => Some(report.render(&Style::plain())),
        };
        let mut story = self.story();
        match &failing {
            Some(report) if story.failing != failing => tracing::error!(
                "consumers and plans can't be read; what they were before holds:\n{report}"
            ),
            None if story.failing.is_some() => {
                tracing::info!("consumers and plans can be read again")
            }
            _ => {}
        }
        if failing.is_none() {
            story.heard = Some(now());
        }
        story.failing = failing;
        story.seen = present;
        story.mark = mark;
    }

    /// Tells what is another than before, with numbers that come after.
    fn tell(&self, register: &Register, records: Vec<Record>) {
        let known = register.records();
        let last = known.values().map(|(number, _)| *number).max().unwrap_or(0);
        let mut changed = register.others(&records);
        changed.extend(records.iter().filter_map(|one| {
            let same = known.get(&one.name).map(|(_, text)| text) == one.text.as_ref();
            (!same).then(|| Record {
                number: last + one.number,
                ..one.clone()
            })
        }));
        if !changed.is_empty() {
            register.take(changed);
        }
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(file: Weak<FileSource>, register: Weak<Register>) {
    let Some(poll) = file.upgrade().map(|file| file.poll) else {
        return;
    };
    let mut polls = interval(poll);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        polls.tick().await;
        let (Some(file), Some(register)) = (file.upgrade(), register.upgrade()) else {
            return;
        };
        let looked = tokio::task::spawn_blocking(move || file.look(&register)).await;
        if looked.is_err() {
            tracing::error!("the file of consumers was not taken over: a bug");
        }
    }
}

impl Seen {
    /// The same as long as nobody has written; none for one that was written just now, which is to be
    /// looked at again.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?;
        let settled = SystemTime::now().duration_since(modified).ok()? > GRAIN;
        settled.then(|| Self {
            modified,
            size: metadata.len(),
            number: metadata.ino(),
        })
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
