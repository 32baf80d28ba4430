//! Writes down what is counted in a book, beside the requests.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lintel_state::ledger::Book;
use lintel_upstream::Control;

/// How often counts are written down: a crash loses those of this time, and of as long as the disk
/// takes.
const EVERY: Duration = Duration::from_secs(1);

/// Reads what was written before, and writes from now on; the first time that a book is started.
pub(crate) fn start<const N: usize>(book: &Arc<Book<N>>, control: &Control) {
    if !book.start(now()) || book.file().is_none() {
        return;
    }
    let book = Arc::downgrade(book);
    control.runtime.spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(book) = book.upgrade() else { return };
            let written = tokio::task::spawn_blocking(move || book.flush(now()));
            if written.await.is_err() {
                return;
            }
        }
    });
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
