//! The time of day of a moment that was read from the monotonic clock: a request reads one clock
//! where it would have read two.

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime},
};

/// How old the thread's reading of both clocks may be. A clock that is set is followed this late.
const FRESH: Duration = Duration::from_millis(100);

thread_local! {
    /// The last time that this thread has read both clocks together.
    static READING: Cell<Option<(Instant, SystemTime)>> = const { Cell::new(None) };
}

/// The time of day at `moment`, which should be the present or just past.
pub fn time_at(moment: Instant) -> SystemTime {
    if let Some((instant, time)) = READING.get()
        && let Some(since) = moment.checked_duration_since(instant)
        && since < FRESH
    {
        return time + since;
    }
    let (instant, time) = (Instant::now(), SystemTime::now());
    READING.set(Some((instant, time)));
    time - instant.saturating_duration_since(moment)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn moments_keep_their_distance() {
        let before = SystemTime::now();
        let time = time_at(Instant::now());
        assert!(time >= before && time <= SystemTime::now());
        let (instant, reading) = READING.get().unwrap();
        let later = Duration::from_millis(7);
        assert_eq!(time_at(instant + later), reading + later);
        assert_eq!(READING.get().unwrap().0, instant, "nothing was read");
    }

    #[test]
    fn clocks_are_read_anew_for_a_moment_that_is_far() {
        time_at(Instant::now());
        let (instant, reading) = READING.get().unwrap();
        let hour = Duration::from_secs(3600);
        assert!(time_at(instant - hour) < reading - hour / 2);
        assert_ne!(READING.get().unwrap().0, instant);
        time_at(instant + FRESH);
        assert!(READING.get().unwrap().0 > instant);
    }
}
