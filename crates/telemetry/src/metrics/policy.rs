//! Counters of policies. A policy is shared by all workers; each of them counts in a cell of its own.

use std::{
    cell::RefCell,
    fmt,
    rc::{Rc, Weak as LocalWeak},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustc_hash::FxHashMap;

use super::{
    block::Series,
    family::Family,
    worker::{Tables, WorkerMetrics},
};

/// A counter that a policy keeps and any worker adds to, without a lock. On a thread that is no
/// worker it counts nothing.
#[derive(Debug)]
pub struct PolicyCounter(Own);

/// A gauge on the same terms; the scrape adds up what all workers have added to it.
#[derive(Debug)]
pub struct PolicyGauge(Own);

struct Own {
    id: u64,
    family: &'static Family,
    values: Box<[Box<str>]>,
    alive: Arc<()>,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static WORKER: RefCell<LocalWeak<Tables>> = const { RefCell::new(LocalWeak::new()) };
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// The cells that this thread has looked up, by the owner's number.
#[derive(Default)]
struct Known {
    cells: FxHashMap<u64, (Weak<()>, Arc<Series>)>,
    /// How many there may be before those are dropped whose owner is gone.
    room: usize,
}

impl PolicyCounter {
    /// A counter of a family; `values` are the label values in the family's order.
    pub fn new(family: &'static Family, values: &[&str]) -> Self {
        Self(Own::new(family, values))
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.with(|series| {
            if let Some(counter) = series.cell.counter() {
                counter.add(n);
            }
        });
    }
}

impl PolicyGauge {
    /// A gauge of a family; `values` are the label values in the family's order.
    pub fn new(family: &'static Family, values: &[&str]) -> Self {
        Self(Own::new(family, values))
    }

    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.with(|series| {
            if let Some(gauge) = series.cell.gauge() {
                gauge.add(n);
            }
        });
    }
}

impl Own {
    fn new(family: &'static Family, values: &[&str]) -> Self {
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            family,
            values: values.iter().map(|value| (*value).into()).collect(),
            alive: Arc::default(),
        }
    }

    fn with(&self, work: impl FnOnce(&Series)) {
        KNOWN.with_borrow_mut(|known| {
            if let Some((_, series)) = known.cells.get(&self.id) {
                return work(series);
            }
            if let Some(series) = self.look_up(known) {
                work(&series);
            }
        });
    }

    #[cold]
    fn look_up(&self, known: &mut Known) -> Option<Arc<Series>> {
        let worker = WORKER.with_borrow(LocalWeak::upgrade)?;
        let values: Vec<&str> = self.values.iter().map(|value| &**value).collect();
        let series = WorkerMetrics(worker).named(self.family, &values);
        if known.cells.len() >= known.room {
            known.cells.retain(|_, (alive, _)| alive.strong_count() > 0);
            known.room = (known.cells.len() * 2).max(64);
        }
        let cell = (Arc::downgrade(&self.alive), Arc::clone(&series));
        known.cells.insert(self.id, cell);
        Some(series)
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.family.name, self.values)
    }
}

/// This thread is a worker from now on, with these metrics.
pub(super) fn settle(worker: &Rc<Tables>) {
    WORKER.with_borrow_mut(|known| *known = Rc::downgrade(worker));
    // Cells of a worker that was on this thread before are not this one's.
    KNOWN.with_borrow_mut(|known| known.cells.clear());
}
