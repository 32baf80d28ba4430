//! The time as of the last request or tick: good enough to age connections by, and free to read.

use std::cell::Cell;

use tokio::time::Instant;

pub(crate) struct Clock(Cell<Instant>);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Cell::new(Instant::now()))
    }

    pub(crate) const fn now(&self) -> Instant {
        self.0.get()
    }

    pub(crate) fn set(&self, now: Instant) {
        self.0.set(now);
    }

    /// Reads the real clock.
    pub(crate) fn refresh(&self) -> Instant {
        let now = Instant::now();
        self.0.set(now);
        now
    }
}
