use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::TextError;

/// Statuses of answers: one (`204`), a class (`2xx`), or a range (`200-299`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    /// The statuses.
    pub const fn range(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl FromStr for StatusRange {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let error = || {
            TextError::new(format!("`{text}` is no status of an answer")).hint(
                "write a status such as `204`, a class such as `2xx`, or a range such as `200-299`",
            )
        };
        let status = |text: &str| {
            let status = text.trim().parse::<u16>().ok();
            status.filter(|status| (200..=599).contains(status))
        };
        if let Some(class) = text.strip_suffix("xx") {
            let class = class
                .parse::<u16>()
                .ok()
                .filter(|class| (2..=5).contains(class));
            let class = class.ok_or_else(error)?;
            return Ok(Self {
                first: class * 100,
                last: class * 100 + 99,
            });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (
            status(first).ok_or_else(error)?,
            status(last).ok_or_else(error)?,
        );
        if first > last {
            return Err(error());
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) if first % 100 == 0 && last == first + 99 => {
                write!(f, "{}xx", first / 100)
            }
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl StatusRange {
    /// The word for it in the JSON Schema.
    pub const FORMAT: &str = "status-range";
}

// A status alone is a number to YAML.
lintel_kernel::text_value!(
    StatusRange,
    "status-range",
    r"^([2-5]xx|[2-5][0-9]{2}( *- *[2-5][0-9]{2})?)$",
    "2xx",
    "204"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn statuses_classes_and_ranges() {
        for (text, range) in [
            ("204", 204..=204),
            ("2xx", 200..=299),
            ("200 - 304", 200..=304),
        ] {
            assert_eq!(text.parse::<StatusRange>().unwrap().range(), range);
        }
        for (text, shown) in [("204", "204"), ("300-399", "3xx"), ("200-201", "200-201")] {
            assert_eq!(text.parse::<StatusRange>().unwrap().to_string(), shown);
        }
        for bad in ["", "20x", "6xx", "99", "299-200", "xx", "1xx", "-200"] {
            assert!(bad.parse::<StatusRange>().is_err(), "{bad}");
        }
    }
}
