//! Times as in `20150830T123600Z`.

use jiff::{civil, tz::TimeZone};

/// Seconds since 1970.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let digits = |range: std::ops::Range<usize>| -> Option<i16> {
        let part = text.get(range)?;
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    if text.len() != 16 || text.get(8..9) != Some("T") || text.get(15..) != Some("Z") {
        return None;
    }
    let small = |range| i8::try_from(digits(range)?).ok();
    let time = civil::DateTime::new(
        digits(0..4)?,
        small(4..6)?,
        small(6..8)?,
        small(9..11)?,
        small(11..13)?,
        small(13..15)?,
        0,
    );
    let time = time.ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(time.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_one_form() {
        assert_eq!(seconds("20150830T123600Z"), Some(1_440_938_160));
        for text in [
            "",
            "20150830T123600",
            "20150830 123600Z",
            "20151330T123600Z",
            "20150830T253600Z",
            "2015083OT123600Z",
            "+0150830T123600Z",
            "20150830T123600ZZ",
            "19500830T123600Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
