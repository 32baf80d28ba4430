use std::{fmt, str::FromStr};

use lintel_kernel::Duration;

use super::{TextError, text_type};

/// How long a try is waited for before another is begun beside it: a time (`80ms`), or what the
/// fastest 95 of 100 answers take (`p95`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// So long.
    Time(Duration),
    /// As long as this percentile of the answers, 50 to 99.
    Percentile(u8),
}

impl FromStr for HedgeAfter {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some(number) = text.strip_prefix('p') {
            return match number.parse() {
                Ok(share @ 50..=99) if number.len() == 2 => Ok(Self::Percentile(share)),
                _ => Err(
                    TextError::new(format!("`{text}` is no percentile to wait for"))
                        .hint("write one from `p50` to `p99`; `p95` sends one request in 20 twice"),
                ),
            };
        }
        let error = || {
            TextError::new(format!("`{text}` is no time to wait"))
                .hint("write a duration such as `80ms`, or a percentile such as `p95`")
        };
        text.parse().map(Self::Time).map_err(|_| error())
    }
}

impl fmt::Display for HedgeAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Percentile(share) => write!(f, "p{share}"),
        }
    }
}

text_type!(HedgeAfter, "hedge-after"; "p95", "80ms");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_and_percentiles() {
        for text in ["80ms", "2s", "p50", "p95", "p99"] {
            assert_eq!(text.parse::<HedgeAfter>().unwrap().to_string(), text);
        }
        for bad in [
            "p100", "p9", "p095", "p", "p49", "95%", "80", "", "p95.5", "P95",
        ] {
            assert!(
                bad.parse::<HedgeAfter>().unwrap_err().hint.is_some(),
                "{bad}"
            );
        }
    }
}
