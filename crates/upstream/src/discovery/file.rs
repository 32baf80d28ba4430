//! Endpoints from a file that somebody else writes.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, time};

use super::watcher::Session;

/// A file is read once nothing has happened to it for this long: not everybody replaces it at once.
const SETTLE: Duration = Duration::from_millis(50);
/// It is looked at this often where the system tells nothing: network file systems, watches used up.
const LOOK: Duration = Duration::from_secs(5);
/// More than a list of endpoints can be.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A file with a list of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// Where it is.
    pub path: PathBuf,
}

impl fmt::Display for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {}", self.path.display())
    }
}

pub(super) async fn follow(source: &FileSource, session: &Session) -> Result<(), String> {
    let (_watcher, mut changes) = watch(&source.path);
    let mut last = None;
    loop {
        let text = read(source.path.clone()).await;
        if last.as_ref() != Some(&text) {
            match &text {
                Ok(text) => match (session.readers.endpoints)(&source.path, text) {
                    Ok(entries) => session.found(entries),
                    Err(error) => session.failed(&error),
                },
                Err(error) => session.failed(error),
            }
            last = Some(text);
        } else if last.as_ref().is_some_and(Result::is_ok) && !session.is_failing() {
            session.alive();
        }
        changed(&mut changes).await;
    }
}

/// The folder is watched and not the file, so that a file that is replaced by renaming (as editors
/// and Kubernetes config maps do) is noticed.
fn watch(path: &Path) -> (Option<RecommendedWatcher>, mpsc::Receiver<()>) {
    let (sender, changes) = mpsc::channel(1);
    let told = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
            // A full channel means that a change is noted already.
            let _ = sender.try_send(());
        }
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    if let Err(error) = &watcher {
        tracing::debug!(%error, "a file can't be watched and is looked at every 5 s");
    }
    (watcher.ok(), changes)
}

/// Ready after a change, or when it is time to look.
async fn changed(changes: &mut mpsc::Receiver<()>) {
    match time::timeout(LOOK, changes.recv()).await {
        Ok(Some(())) => while let Ok(Some(())) = time::timeout(SETTLE, changes.recv()).await {},
        Ok(None) => time::sleep(LOOK).await,
        Err(_) => {}
    }
}

/// A text file, whole.
pub(super) async fn read(path: PathBuf) -> Result<String, String> {
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        if std::fs::metadata(&path)?.len() > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        std::fs::read_to_string(&path)
    });
    match read.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(format!("{shown} can't be read: {error}")),
        Err(_) => Err(format!("{shown} can't be read")),
    }
}
