//! Amounts of bytes as an operator writes them: `64KiB`, `1MiB`, `10MB`.

use std::{fmt, str::FromStr};

/// An amount of bytes in the configuration: `512B`, `64KiB`, `1MiB`, `2GiB` (powers of 1024) or
/// `10kB`, `10MB`, `1GB` (powers of 1000). A bare number is a number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// A number of bytes; for defaults.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory; saturates on 32-bit machines.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number
            .parse()
            .map_err(|_| format!("`{text}` is not a size; write it like `64KiB` or `1MiB`"))?;
        let unit = unit.trim();
        let factor = if unit.is_empty() {
            1
        } else {
            unit_bytes(unit)?
        };
        number
            .checked_mul(factor)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is larger than 16 EiB"))
    }
}

fn unit_bytes(unit: &str) -> Result<u64, String> {
    if let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let alike = UNITS.iter().find(|(name, _)| {
        name.eq_ignore_ascii_case(unit)
            || name
                .replace('i', "")
                .eq_ignore_ascii_case(&format!("{unit}B"))
    });
    Err(match alike {
        Some((name, _)) => format!("`{unit}` is not a unit of size; did you mean `{name}`?"),
        None => format!("`{unit}` is not a unit of size; use B, KiB, MiB, GiB, kB, MB or GB"),
    })
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(name, factor)| {
            (name.contains('i') || *name == "B")
                && self.0 >= *factor
                && self.0.is_multiple_of(*factor)
        });
        match exact {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::text_value!(
    ByteSize,
    "size",
    r"^[0-9]+\s*([KMGT]iB|[kMGT]B|B)?$",
    "64KiB",
    "1MiB"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, bytes, shown) in [
            ("64KiB", 65_536, "64KiB"),
            ("10MB", 10_000_000, "10000000B"),
            ("512", 512, "512B"),
            ("1024B", 1024, "1KiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.as_u64(), bytes);
            assert_eq!(size.to_string(), shown);
        }
    }

    #[test]
    fn says_what_to_write_instead() {
        assert_eq!(
            "64kib".parse::<ByteSize>().unwrap_err(),
            "`kib` is not a unit of size; did you mean `KiB`?"
        );
        assert_eq!(
            "64K".parse::<ByteSize>().unwrap_err(),
            "`K` is not a unit of size; did you mean `KiB`?"
        );
        for bad in ["", "-1", "1.5MiB", "99999999999TiB", "MiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}
