//! Watches the configuration for changes.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::mpsc, time::Instant};

/// Editors write a file in several steps; a reload waits until nothing has changed for this long.
const SETTLE: Duration = Duration::from_millis(100);
/// … but no longer than this in all: a file that somebody writes to without end must not keep a
/// change of another from being noticed.
const LONGEST: Duration = Duration::from_secs(2);

/// How far apart times are that file systems tell from each other: a tick of the kernel.
const GRAIN: Duration = Duration::from_millis(10);

/// A watch on files; ends when dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    names: BTreeSet<OsString>,
    apart: Option<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches a file or a folder, and further files.
    ///
    /// Folders are watched rather than files, so that a file replaced by renaming (editors,
    /// Kubernetes config maps) is noticed. What else happens in them, such as lines added to a log,
    /// is no change, nor what happens to a file `apart`, which somebody else looks after.
    ///
    /// # Errors
    /// The system's file watches are used up or the folder can't be read.
    pub fn start(config: &Path, further: &[PathBuf], apart: Option<&Path>) -> notify::Result<Self> {
        let (sender, changes) = mpsc::channel(1);
        let names: BTreeSet<_> = std::iter::once(config)
            .chain(further.iter().map(PathBuf::as_path))
            .filter_map(|path| path.file_name().map(OsStr::to_owned))
            .collect();
        let watched = names.clone();
        // As events name it.
        let left_out = apart.and_then(|file| {
            let folder = std::path::absolute(folder(file)).ok()?;
            Some(folder.join(file.file_name()?))
        });
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_relevant(&event, &watched, left_out.as_deref())) {
                // A full channel means that a change is noted already.
                let _ = sender.try_send(());
            }
        })?;
        let mut folders: Vec<PathBuf> = std::iter::once(config)
            .chain(further.iter().map(PathBuf::as_path))
            .map(folder)
            .collect();
        folders.sort();
        folders.dedup();
        for folder in &folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self {
            _watcher: watcher,
            folders,
            names,
            apart: apart.map(Path::to_owned),
            changes,
        })
    }

    /// Whether changes of these files are noticed, and those of the one apart are not.
    pub fn covers(&self, files: &[PathBuf], apart: Option<&Path>) -> bool {
        self.apart.as_deref() == apart
            && files.iter().all(|file| {
                self.folders.contains(&folder(file))
                    && file
                        .file_name()
                        .is_none_or(|name| self.names.contains(name))
            })
    }

    /// Whether something may have changed since a time, before it was watched. File systems tell only
    /// times apart that lie some milliseconds from each other, so what was changed just before that
    /// time may be taken for changed since.
    pub fn is_newer(config: &Path, further: &[PathBuf], since: SystemTime) -> bool {
        let all = std::iter::once(config).chain(further.iter().map(PathBuf::as_path));
        let since = since.checked_sub(GRAIN).unwrap_or(since);
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = |metadata: Metadata| {
            let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
            let nanos = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
            Duration::new(seconds, nanos) >= since
        };
        let newer = |path: &Path| fs::metadata(path).is_ok_and(&changed);
        // Where a link leads elsewhere, it is the folder that has changed.
        let linked = |path: &Path| path.is_symlink() && newer(&folder(path));
        all.clone().any(|path| newer(path) || linked(path))
    }

    /// Waits until something has changed and has settled.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        let latest = Instant::now() + LONGEST;
        while Instant::now() < latest
            && let Ok(Some(())) = tokio::time::timeout(SETTLE, self.changes.recv()).await
        {}
    }
}

/// Whether an event may be a change of the configuration: to one of the files by name, to any YAML
/// file (a folder of them may get a new one), to the link by which Kubernetes replaces all files of
/// a volume at once (`..data`), or to a folder itself.
fn is_relevant(event: &Event, names: &BTreeSet<OsString>, apart: Option<&Path>) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    let concerns = |path: &PathBuf| {
        let Some(name) = path.file_name() else {
            return true;
        };
        if apart == Some(path) {
            return false;
        }
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        yaml || names.contains(name) || name == "..data" || path.is_dir()
    };
    event.paths.is_empty() || event.paths.iter().any(concerns)
}

fn folder(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_else_happens_in_the_folder_is_no_change() {
        let names = BTreeSet::from(["gateway.yaml".into(), "api.key".into()]);
        let modified = |path: &str| {
            let event = Event::new(EventKind::Modify(notify::event::ModifyKind::Any));
            let apart = Path::new("/nowhere/consumers.yaml");
            is_relevant(&event.add_path(path.into()), &names, Some(apart))
        };
        assert!(modified("/elsewhere/consumers.yaml"));
        assert!(!modified("/nowhere/consumers.yaml"));
        for path in ["gateway.yaml", "api.key", "other.yml", "..data"] {
            assert!(modified(&format!("/nowhere/{path}")), "{path}");
        }
        for path in ["access.log", "gateway.yaml.swp", "api.key~"] {
            assert!(!modified(&format!("/nowhere/{path}")), "{path}");
        }
        let opened = Event::new(EventKind::Access(notify::event::AccessKind::Any));
        assert!(!is_relevant(
            &opened.add_path("/nowhere/api.key".into()),
            &names,
            None
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn changes_without_end_are_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::start(folder.path(), &[], None).unwrap();
        let (sender, changes) = mpsc::channel(1);
        watch.changes = changes;
        tokio::spawn(async move {
            while sender.send(()).await.is_ok() {
                tokio::time::sleep(SETTLE / 2).await;
            }
        });
        let begun = Instant::now();
        watch.changed().await;
        assert!(begun.elapsed() < LONGEST + SETTLE);
    }

    #[test]
    fn what_changed_before_it_was_watched_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("gateway.yaml"), "a").unwrap();
        std::fs::create_dir(at("v1")).unwrap();
        std::fs::write(at("v1/api.key"), "a").unwrap();
        std::os::unix::fs::symlink("v1/api.key", at("api.key")).unwrap();
        // The beginning of the folder's time, and a time that nothing here has reached.
        let written = std::fs::metadata(at("api.key"))
            .unwrap()
            .modified()
            .unwrap();
        let later = SystemTime::now() + Duration::from_hours(1);
        let newer =
            |since| Watch::is_newer(&at("gateway.yaml"), &[at("api.key"), at("gone")], since);
        assert!(newer(written) && !newer(later));
        // Older than all, but put in place just now.
        let old = SystemTime::now() - Duration::from_hours(1);
        let next = std::fs::File::create(at("next")).unwrap();
        next.set_modified(old).unwrap();
        std::fs::rename(at("next"), at("gateway.yaml")).unwrap();
        assert!(newer(written));
    }

    #[tokio::test]
    async fn a_replaced_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, "a").unwrap();
        let mut watch = Watch::start(&file, &[], None).unwrap();
        let next = folder.path().join("next");
        std::fs::write(&next, "b").unwrap();
        std::fs::rename(&next, &file).unwrap();
        tokio::time::timeout(Duration::from_secs(10), watch.changed())
            .await
            .unwrap();
    }
}
