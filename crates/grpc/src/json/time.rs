//! Timestamps (RFC 3339) and durations, as text and as seconds and nanoseconds.

use std::fmt::Write as _;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Ten thousand years, in seconds.
const DURATION: i64 = 315_576_000_000;

/// Seconds and nanoseconds of a timestamp: upper-case `T` and `Z`, or an offset.
pub(crate) fn timestamp(text: &str) -> Option<(i64, i32)> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-');
    let year = digits(date.next()?, 4)?;
    let month = digits(date.next()?, 2)?;
    let day = digits(date.next()?, 2)?;
    if date.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    let (time, offset) = zone(time)?;
    let (time, nanos) = match time.split_once('.') {
        Some((time, fraction)) => (time, nanos(fraction)?),
        None => (time, 0),
    };
    let mut time = time.split(':');
    let hour = digits(time.next()?, 2)?;
    let minute = digits(time.next()?, 2)?;
    let second = digits(time.next()?, 2)?;
    if time.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    TIMESTAMPS.contains(&seconds).then_some((seconds, nanos))
}

/// The text of a timestamp, with 0, 3, 6 or 9 digits of a second.
pub(crate) fn write_timestamp(seconds: i64, nanos: i32, out: &mut String) -> Option<()> {
    if !TIMESTAMPS.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    // Writing to a String can't fail.
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    );
    fraction(nanos, out);
    out.push('Z');
    Some(())
}

/// Seconds and nanoseconds of a duration such as `1.5s`, both of one sign.
pub(crate) fn duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let (seconds, nanos) = match text.split_once('.') {
        Some((seconds, fraction)) => (seconds, nanos(fraction)?),
        None => (text, 0),
    };
    if seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    (seconds <= DURATION).then_some((sign * seconds, i32::try_from(sign).ok()? * nanos))
}

/// The text of a duration, with 0, 3, 6 or 9 digits of a second.
pub(crate) fn write_duration(seconds: i64, nanos: i32, out: &mut String) -> Option<()> {
    let in_range = (-DURATION..=DURATION).contains(&seconds)
        && (-999_999_999..=999_999_999).contains(&nanos)
        && i64::from(nanos) * seconds.signum() >= 0;
    if !in_range {
        return None;
    }
    if seconds < 0 || nanos < 0 {
        out.push('-');
    }
    let _ = write!(out, "{}", seconds.unsigned_abs());
    fraction(nanos.abs(), out);
    out.push('s');
    Some(())
}

fn fraction(nanos: i32, out: &mut String) {
    let _ = match nanos {
        0 => Ok(()),
        nanos if nanos % 1_000_000 == 0 => write!(out, ".{:03}", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => write!(out, ".{:06}", nanos / 1_000),
        nanos => write!(out, ".{nanos:09}"),
    };
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// 1 to 9 digits of a second.
fn nanos(fraction: &str) -> Option<i32> {
    let count = fraction.len();
    if !(1..=9).contains(&count) {
        return None;
    }
    let value = digits(fraction, count)?;
    i32::try_from(value * 10_i64.pow(u32::try_from(9 - count).ok()?)).ok()
}

/// The time without its zone, and the zone's offset in seconds.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let (time, zone) = time.split_at_checked(time.len().checked_sub(6)?)?;
    let (hours, minutes) = zone.split_once(':')?;
    let (sign, hours) = match hours.strip_prefix('-') {
        Some(hours) => (-1, hours),
        None => (1, hours.strip_prefix('+')?),
    };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some((time, sign * (hours * 3_600 + minutes * 60)))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `days_from_civil`).
const fn civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date so many days after 1970-01-01 (`civil_from_days` of the same).
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1970-01-01T01:00:00+01:00", (0, 0)),
            ("1969-12-31T23:59:59.5Z", (-1, 500_000_000)),
            ("0001-01-01T00:00:00Z", (-62_135_596_800, 0)),
            (
                "9999-12-31T23:59:59.999999999Z",
                (253_402_300_799, 999_999_999),
            ),
            ("2024-02-29T12:00:00-08:30", (1_709_238_600, 0)),
        ] {
            assert_eq!(timestamp(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01T00:00:00",
            "1970-1-01T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.0000000001Z",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:00Zé",
            "é",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("0s", (0, 0)),
            ("1.5s", (1, 500_000_000)),
            ("-0.5s", (0, -500_000_000)),
            ("315576000000.999999999s", (315_576_000_000, 999_999_999)),
        ] {
            assert_eq!(duration(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "s",
            "1",
            "1S",
            "+1s",
            ".5s",
            "1.s",
            "1.0000000001s",
            "315576000001s",
            "--1s",
            "1 s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        let mut out = String::new();
        assert_eq!(write_duration(1, -1, &mut out), None);
        assert_eq!(write_timestamp(253_402_300_800, 0, &mut out), None);
        assert_eq!(write_timestamp(0, -1, &mut out), None);
    }

    proptest! {
        #[test]
        fn timestamps_round_trip(seconds in TIMESTAMPS, nanos in 0..1_000_000_000_i32) {
            let mut text = String::new();
            write_timestamp(seconds, nanos, &mut text).unwrap();
            prop_assert_eq!(timestamp(&text), Some((seconds, nanos)));
        }

        #[test]
        fn durations_round_trip(seconds in 0..=DURATION, nanos in 0..1_000_000_000_i32, negative: bool) {
            let sign = if negative { -1 } else { 1 };
            let value = (i64::from(sign) * seconds, sign * nanos);
            let mut text = String::new();
            write_duration(value.0, value.1, &mut text).unwrap();
            prop_assert_eq!(duration(&text), Some(value));
        }
    }
}
