//! Rates as an operator writes them: `50/s`, `600/min`, `10000000/month`.

use std::{fmt, str::FromStr, time};

/// So many events in so much time: `50/s`, `600/min`, `1000/h`, `5/10s`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Events allowed in one `per`.
    pub count: u64,
    /// The length of time they are counted over. Never zero.
    pub per: time::Duration,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a rate; write it like `50/s` or `600/min`");
        let (count, per) = text.split_once('/').ok_or_else(malformed)?;
        let count = count.trim().parse().map_err(|_| malformed())?;
        let secs = match per.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3_600,
            "d" | "day" => 86_400,
            other => {
                let per: crate::Duration = other.parse().map_err(|_| malformed())?;
                if per.is_zero() {
                    return Err(format!("`{text}` counts over no time at all"));
                }
                return Ok(Self {
                    count,
                    per: per.to_std(),
                });
            }
        };
        Ok(Self {
            count,
            per: time::Duration::from_secs(secs),
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per.as_secs() {
            1 => "s".to_owned(),
            60 => "min".to_owned(),
            3_600 => "h".to_owned(),
            86_400 => "d".to_owned(),
            _ => crate::Duration::from(self.per).to_string(),
        };
        write!(f, "{}/{per}", self.count)
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::text_value!(Rate, "rate", r"^[0-9]+\s*/\s*.+$", "50/s", "600/min");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, shown) in [
            ("50/s", "50/s"),
            ("600/minute", "600/min"),
            ("5/10s", "5/10s"),
            ("1/h", "1/h"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), shown);
        }
        for bad in ["50", "/s", "-1/s", "5/0s", "5/fortnight", "1.5/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
