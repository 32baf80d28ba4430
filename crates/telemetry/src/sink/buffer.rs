//! Lines gathered by the thread that logs them.

use std::{cell::RefCell, sync::Arc, time::Instant};

use super::{BATCH_AGE, BATCH_BYTES, Sink};

/// Room for the line that fills a batch up.
const LAST_LINE: usize = 2 * 1024;

thread_local! {
    static GATHERED: RefCell<Gathered> = const { RefCell::new(Gathered(Vec::new())) };
}

/// At most one batch a sink; an idle thread holds no buffer and no sink.
struct Gathered(Vec<Batch>);

struct Batch {
    sink: Arc<Sink>,
    bytes: Vec<u8>,
    lines: u32,
    since: Instant,
}

impl Batch {
    fn hand_over(self) {
        self.sink.hand_over(self.bytes, self.lines);
    }
}

impl Gathered {
    /// Appends a line and gives the batch's index back once it is full.
    fn append(&mut self, sink: &Arc<Sink>, encode: impl FnOnce(&mut Vec<u8>)) -> Option<usize> {
        let known = self
            .0
            .iter()
            .position(|batch| Arc::ptr_eq(&batch.sink, sink));
        let place = known.unwrap_or_else(|| {
            self.0.push(Batch {
                sink: sink.clone(),
                bytes: Vec::with_capacity(BATCH_BYTES + LAST_LINE),
                lines: 0,
                since: Instant::now(),
            });
            self.0.len() - 1
        });
        let batch = self.0.get_mut(place)?;
        encode(&mut batch.bytes);
        batch.lines += 1;
        (batch.bytes.len() >= BATCH_BYTES).then_some(place)
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Batch::hand_over);
    }
}

/// Appends one line, its line feed included, to this thread's batch for the sink.
pub(crate) fn append(sink: &Arc<Sink>, encode: impl FnOnce(&mut Vec<u8>)) {
    let appended = GATHERED.try_with(|gathered| {
        let Ok(mut gathered) = gathered.try_borrow_mut() else {
            sink.shared.stats.drop_lines(1);
            return;
        };
        if let Some(full) = gathered.append(sink, encode) {
            gathered.0.swap_remove(full).hand_over();
        }
    });
    if appended.is_err() {
        // The thread is ending and its buffer is gone.
        sink.shared.stats.drop_lines(1);
    }
}

/// Hands over this thread's batches that are [old enough](BATCH_AGE). Gives back when the next will
/// be, if there is one: a worker calls it then, from its tick or before it goes to sleep.
pub fn flush_due() -> Option<Instant> {
    GATHERED
        .try_with(|gathered| {
            let Gathered(batches) = &mut *gathered.try_borrow_mut().ok()?;
            if batches.is_empty() {
                return None;
            }
            let now = Instant::now();
            for due in batches.extract_if(.., |batch| now >= batch.since + BATCH_AGE) {
                due.hand_over();
            }
            batches.iter().map(|batch| batch.since + BATCH_AGE).min()
        })
        .ok()
        .flatten()
}

/// Hands over all of this thread's batches. A thread that ends does so by itself.
pub fn flush() {
    let _ = GATHERED.try_with(|gathered| {
        if let Ok(mut gathered) = gathered.try_borrow_mut() {
            gathered.0.drain(..).for_each(Batch::hand_over);
        }
    });
}
