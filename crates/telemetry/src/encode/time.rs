//! RFC 3339 timestamps in UTC with milliseconds.

use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

/// `2026-01-31T12:34:56`
type Second = [u8; 19];

thread_local! {
    /// The last second formatted on this thread: most lines of a busy worker share it.
    static LAST: Cell<(u64, Second)> = const { Cell::new((0, *b"1970-01-01T00:00:00")) };
}

/// Appends `2026-01-31T12:34:56.789Z`. Times before 1970 are 1970, after 9999 the end of 9999.
pub(crate) fn timestamp(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (last, mut text) = LAST.get();
    if last != since.as_secs() {
        text = second(since.as_secs());
        LAST.set((since.as_secs(), text));
    }
    out.extend_from_slice(&text);
    let millis = since.subsec_millis();
    let digit = |value: u32| b'0' + (value % 10) as u8;
    let [a, b, c] = [digit(millis / 100), digit(millis / 10), digit(millis)];
    out.extend_from_slice(&[b'.', a, b, c, b'Z']);
}

fn second(unix: u64) -> Second {
    const LAST_SECOND: u64 = 253_402_300_799;
    let unix = unix.min(LAST_SECOND);
    let (year, month, day) = civil(unix / 86_400);
    let clock = unix % 86_400;
    let mut text = *b"0000-00-00T00:00:00";
    let fields = [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, clock / 3600),
        (14, clock / 60 % 60),
        (17, clock % 60),
    ];
    for (at, value) in fields {
        if let Some(place) = text.get_mut(at..at + 2) {
            place.copy_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
        }
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01: Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`. Years begin in March, so that the leap day is
/// their last; eras are the 400 years after which the calendar repeats.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}
