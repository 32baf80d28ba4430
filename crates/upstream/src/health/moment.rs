//! Points in time that fit into an atomic.

use std::{sync::LazyLock, time::Duration};

use tokio::time::Instant;

/// Milliseconds before or after the first moment that the process looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    /// A point in time.
    pub(crate) fn of(instant: Instant) -> Self {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(match instant.checked_duration_since(*FIRST) {
            Some(after) => millis(after),
            None => -millis(FIRST.saturating_duration_since(instant)),
        })
    }

    pub(crate) fn now() -> Self {
        Self::of(Instant::now())
    }

    pub(crate) fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long it is past; none where it is yet to come.
    pub(crate) fn until(self, later: Self) -> Duration {
        let millis = later.0.saturating_sub(self.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}
