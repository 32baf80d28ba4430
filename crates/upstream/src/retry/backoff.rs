//! The pause before another try.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): a
/// random time up to `base`, then up to twice of it, and so on, never above `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause before the first retry.
    pub base: Duration,
    /// The longest pause of all.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
        }
    }
}

impl Backoff {
    /// The pause before the retry with this number, from 0. `random` is from 0.0 to 1.0.
    pub fn pause(&self, retry: u8, random: f64) -> Duration {
        let doubled = self
            .base
            .saturating_mul(2_u32.saturating_pow(u32::from(retry)));
        doubled.min(self.max).mul_f64(random.clamp(0.0, 1.0))
    }
}

/// How long an answer asks to wait (RFC 9110 §10.2.3): seconds, or a date. A date that has passed
/// is no wait. Anything else counts as not said.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_stay_in_their_bounds(
            base in 0_u64..5_000,
            max in 0_u64..60_000,
            retry in 0_u8..=255,
            random in 0.0_f64..=1.0,
        ) {
            let backoff = Backoff {
                base: Duration::from_millis(base),
                max: Duration::from_millis(max),
            };
            let pause = backoff.pause(retry, random);
            prop_assert!(pause <= backoff.max);
            let doubled = u128::from(base) << u32::from(retry).min(64);
            prop_assert!(pause.as_millis() <= doubled);
            prop_assert!(backoff.pause(retry, 1.0) <= backoff.pause(retry.saturating_add(1), 1.0));
        }
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        let asked = |value: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::header::RETRY_AFTER,
                HeaderValue::from_static(value),
            )]);
            retry_after(
                &headers,
                SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
            )
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            asked("Sun, 06 Nov 1994 08:49:40 GMT"),
            Some(Duration::from_secs(3))
        );
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:30 GMT"), Some(Duration::ZERO));
        for strange in ["soon", "-1", "1.5", ""] {
            assert_eq!(asked(strange), None, "{strange}");
        }
    }
}
