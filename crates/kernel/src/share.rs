//! Shares of a whole as an operator writes them: `20%`.

use std::{fmt, str::FromStr};

/// A share between nothing and all, written as a percentage: `20%`, `0.5%`, `100%`.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// A share of so many per cent; for defaults.
    pub const fn percent(percent: u8) -> Self {
        Self(if percent > 100 {
            1.0
        } else {
            percent as f64 / 100.0
        })
    }

    /// The share as a fraction from 0.0 to 1.0.
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a share; write it like `20%`");
        let percent: f64 = text
            .trim()
            .strip_suffix('%')
            .ok_or_else(malformed)?
            .trim()
            .parse()
            .map_err(|_| malformed())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(format!("`{text}` is not between 0% and 100%"));
        }
        Ok(Self(percent / 100.0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::text_value!(Share, "share", r"^[0-9.]+\s*%$", "20%", "0.5%");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_prints() {
        for text in ["20%", "0.5%", "100%", "0%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for bad in ["20", "101%", "-1%", "NaN%", "%", ""] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }
}
