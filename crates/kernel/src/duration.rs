//! Lengths of time as an operator writes them: `300ms`, `2s`, `1m30s`, `1h`.

use std::{fmt, str::FromStr, time};

/// A length of time in the configuration, written as numbers with units: `500us`, `300ms`, `2s`,
/// `1.5s`, `1m30s`, `24h`, `7d`.
///
/// A bare number is refused (except `0`): its unit would be a guess. Limit: 100 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(time::Duration);

const LONGEST: f64 = 100.0 * 366.0 * 86_400.0;

impl Duration {
    /// A whole number of milliseconds; for defaults.
    pub const fn from_millis(millis: u64) -> Self {
        Self(time::Duration::from_millis(millis))
    }

    /// A whole number of seconds; for defaults.
    pub const fn from_secs(secs: u64) -> Self {
        Self(time::Duration::from_secs(secs))
    }

    /// The standard library's type.
    pub const fn to_std(self) -> time::Duration {
        self.0
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<time::Duration> for Duration {
    fn from(value: time::Duration) -> Self {
        Self(value)
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "0" {
            return Ok(Self::default());
        }
        if text.is_empty() {
            return Err("expected a duration such as `300ms`, `2s` or `1h`".to_owned());
        }
        let mut seconds = 0.0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let number: f64 = number.parse().map_err(|_| {
                format!("`{text}` is not a duration; write it like `300ms`, `2s` or `1h`")
            })?;
            let unit_len = tail
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(tail.len());
            let (unit, next) = tail.split_at(unit_len);
            seconds += number * unit_seconds(unit.trim(), text)?;
            rest = next;
        }
        if seconds > LONGEST {
            return Err(format!("`{text}` is longer than 100 years"));
        }
        // Whole microseconds: floating point must not turn `0.3s` into 299.999999ms.
        Ok(Self(time::Duration::from_micros(
            (seconds * 1e6).round() as u64
        )))
    }
}

fn unit_seconds(unit: &str, text: &str) -> Result<f64, String> {
    Ok(match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "" => {
            return Err(format!(
                "`{text}` has no unit; write `{text}s` or `{text}ms`"
            ));
        }
        other => {
            return Err(format!(
                "`{other}` is not a unit of time; use us, ms, s, m, h or d"
            ));
        }
    })
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let (value, unit) = match micros {
            0 => return f.write_str("0s"),
            m if m % 86_400_000_000 == 0 => (m / 86_400_000_000, "d"),
            m if m % 3_600_000_000 == 0 => (m / 3_600_000_000, "h"),
            m if m % 60_000_000 == 0 => (m / 60_000_000, "m"),
            m if m % 1_000_000 == 0 => (m / 1_000_000, "s"),
            m if m % 1_000 == 0 => (m / 1_000, "ms"),
            m => (m, "us"),
        };
        write!(f, "{value}{unit}")
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::text_value!(
    Duration,
    "duration",
    r"^([0-9.]+\s*(us|µs|ms|s|m|min|h|d))+$|^0$",
    "300ms",
    "2s",
    "1h"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_operators_write() {
        for (text, millis) in [
            ("300ms", 300),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("0", 0),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                text.parse::<Duration>().unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        assert_eq!("0.3s".parse::<Duration>().unwrap().to_string(), "300ms");
    }

    #[test]
    fn says_what_to_write_instead() {
        assert_eq!(
            "10".parse::<Duration>().unwrap_err(),
            "`10` has no unit; write `10s` or `10ms`"
        );
        assert!(
            "5 fortnights"
                .parse::<Duration>()
                .unwrap_err()
                .contains("fortnights")
        );
        for bad in ["", "s", "-1s", "1..2s", "1e9d", "99999999d"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn prints_the_shortest_exact_form() {
        for text in ["0s", "1us", "250ms", "90s", "2m", "1h", "7d"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
    }
}
