//! Allotments as an operator writes them: `10000000/month`.

use std::{fmt, str::FromStr};

/// So much in each hour, day, week or month of the calendar: `1000/day`, `10000000/month`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Allotment {
    /// How much.
    pub count: u64,
    /// In each of these.
    pub per: Span,
}

/// A span of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Span {
    /// The hours of UTC.
    Hour,
    /// Midnight to midnight.
    Day,
    /// Monday to Sunday (ISO 8601).
    Week,
    /// The first to the last.
    Month,
}

impl Span {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl FromStr for Allotment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("`{text}` is no quota; write it like `1000/day` or `10000000/month`");
        let (count, per) = text.split_once('/').ok_or_else(malformed)?;
        let per = match per.trim() {
            "h" | "hour" => Span::Hour,
            "d" | "day" => Span::Day,
            "w" | "week" => Span::Week,
            "month" => Span::Month,
            _ => {
                return Err(format!(
                    "`{text}` is no quota; it counts per `hour`, `day`, `week` or `month`"
                ));
            }
        };
        let count = count.trim().parse().map_err(|_| malformed())?;
        Ok(Self { count, per })
    }
}

impl fmt::Display for Allotment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.name())
    }
}

impl fmt::Debug for Allotment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::text_value!(
    Allotment,
    "allotment",
    r"^[0-9]+\s*/\s*(h|hour|d|day|w|week|month)\s*$",
    "10000000/month",
    "1000/day"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, shown) in [
            ("10000000/month", "10000000/month"),
            ("5 / d", "5/day"),
            ("0/h", "0/hour"),
            ("7/w", "7/week"),
        ] {
            assert_eq!(text.parse::<Allotment>().unwrap().to_string(), shown);
        }
        for bad in ["50", "/day", "-1/day", "5/s", "5/m", "1.5/day"] {
            assert!(bad.parse::<Allotment>().is_err(), "{bad}");
        }
    }
}
