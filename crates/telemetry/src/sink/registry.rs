//! The sinks of the process: one a target.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::{Loss, Sink, Stats, Target, buffer};

/// What is remembered of a target after its sink is gone, so that its counters never go back.
struct Entry {
    live: Weak<Sink>,
    stats: Arc<Stats>,
}

type Sinks = BTreeMap<Target, Entry>;

static SINKS: Mutex<Sinks> = Mutex::new(BTreeMap::new());

fn sinks() -> MutexGuard<'static, Sinks> {
    // Every change to the map is a single insertion.
    SINKS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn open(target: &Target) -> io::Result<Arc<Sink>> {
    let target = canonical(target);
    let mut sinks = sinks();
    let known = sinks.get(&target);
    if let Some(live) = known.and_then(|entry| entry.live.upgrade()) {
        return Ok(live);
    }
    let stats = known.map_or_else(
        || Stats::new(target.to_string()),
        |entry| entry.stats.clone(),
    );
    let sink = Sink::start_at(&target, stats.clone())?;
    let live = Arc::downgrade(&sink);
    sinks.insert(target, Entry { live, stats });
    Ok(sink)
}

/// One spelling for one file. The file itself may not exist yet, and a link in its place may come
/// to mean another.
fn canonical(target: &Target) -> Target {
    let Target::File(path) = target else {
        return target.clone();
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (parent.canonicalize(), path.file_name()) {
        (Ok(parent), Some(name)) => Target::File(parent.join(name)),
        _ => target.clone(),
    }
}

/// Opens the files of all sinks anew, for log rotation: rename them, then call this. Lines on the
/// way may still go to the old file.
pub fn reopen_all() {
    for sink in live() {
        sink.reopen();
    }
}

/// Hands over what this thread has gathered and waits until all sinks are written, at most
/// `timeout`; whether they were. Blocks: for the end of the process, after the workers have ended
/// or called [`flush`](super::flush).
pub fn flush_all(timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    buffer::flush();
    // Each gets its turn, even if one before it is stuck.
    live()
        .iter()
        .fold(true, |all, sink| sink.flush_until(deadline) & all)
}

fn live() -> Vec<Arc<Sink>> {
    let sinks = sinks();
    sinks
        .values()
        .filter_map(|entry| entry.live.upgrade())
        .collect()
}

/// Name and losses of every target there ever was.
pub(crate) fn each_loss(mut visit: impl FnMut(&str, Loss)) {
    for entry in sinks().values() {
        visit(&entry.stats.name, entry.stats.loss());
    }
}
