use std::{fmt, ops::RangeInclusive, str::FromStr};

use lintel_grpc::status;

use super::{RpcCode, TextError};
use crate::shape::nearest;

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

/// A status that a leg of a composition may be answered with: statuses of HTTP, or that of a call of
/// gRPC by the name of its code, `NOT_FOUND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegStatus {
    /// The number of a code of gRPC. In the order of a table before those of HTTP, which say less.
    Grpc(u8),
    /// Those of HTTP.
    Http(StatusRange),
}

impl FromStr for LegStatus {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return text.parse().map(Self::Http);
        }
        let small = text.to_ascii_lowercase();
        let RpcCode(code) = small.parse().map_err(|_| {
            let error = TextError::new(format!("`{text}` is not a status of gRPC"));
            match nearest(&small, status::codes().map(status::name)) {
                Some(near) => error.hint(format!("did you mean `{}`?", near.to_ascii_uppercase())),
                None => error.hint("write a code such as `NOT_FOUND`, or a status such as `404`"),
            }
        })?;
        Ok(Self::Grpc(code as u8))
    }
}

impl fmt::Display for LegStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(range) => range.fmt(f),
            Self::Grpc(number) => {
                f.write_str(&status::name(status::code_of(*number)).to_ascii_uppercase())
            }
        }
    }
}

impl LegStatus {
    /// The word for it in the JSON Schema.
    pub const FORMAT: &str = "leg-status";
}

lintel_kernel::text_value!(
    LegStatus,
    "leg-status",
    r"^([2-5]xx|[2-5][0-9]{2}( *- *[2-5][0-9]{2})?|[A-Za-z_]+)$",
    "404",
    "NOT_FOUND"
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

    #[test]
    fn codes_of_grpc_by_name() {
        for (text, shown) in [
            ("404", "404"),
            ("NOT_FOUND", "NOT_FOUND"),
            ("not_found", "NOT_FOUND"),
        ] {
            assert_eq!(text.parse::<LegStatus>().unwrap().to_string(), shown);
        }
        let error = "NOT_FUND".parse::<LegStatus>().unwrap_err();
        assert!(error.to_string().contains("NOT_FUND"), "{error}");
        assert!("99".parse::<LegStatus>().is_err());
    }
}
