//! Watches the configuration for changes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Editors write a file in several steps; a reload waits until nothing has changed for this long.
const SETTLE: Duration = Duration::from_millis(100);

/// A watch on files; ends when dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches a file or a folder, and further files.
    ///
    /// Folders are watched rather than files, so that a file replaced by renaming (editors,
    /// Kubernetes config maps) is noticed.
    ///
    /// # Errors
    /// The system's file watches are used up or the folder can't be read.
    pub fn start(config: &Path, further: &[PathBuf]) -> notify::Result<Self> {
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let relevant = event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)));
            if relevant {
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
            changes,
        })
    }

    /// Whether changes of these files are noticed.
    pub fn covers(&self, files: &[PathBuf]) -> bool {
        files
            .iter()
            .all(|file| self.folders.contains(&folder(file)))
    }

    /// Waits until something has changed and has settled.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(SETTLE, self.changes.recv()).await {}
    }
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

    #[tokio::test]
    async fn a_replaced_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, "a").unwrap();
        let mut watch = Watch::start(&file, &[]).unwrap();
        let next = folder.path().join("next");
        std::fs::write(&next, "b").unwrap();
        std::fs::rename(&next, &file).unwrap();
        tokio::time::timeout(Duration::from_secs(10), watch.changed())
            .await
            .unwrap();
    }
}
