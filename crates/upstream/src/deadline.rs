//! How long a caller still waits, told from hop to hop.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

/// The deadline of a gRPC call (gRPC over HTTP/2, "Requests").
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The deadline of any other request: how many milliseconds the caller still waits, as a decimal
/// number. Relative, so that clocks need not agree.
pub const REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline");

/// Digits of a `TimeoutValue`, and of milliseconds here.
const DIGITS: usize = 8;

/// When a caller stops waiting, as it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    grpc: bool,
    /// When it is over.
    pub at: Instant,
}

impl Deadline {
    /// What the caller of a request that arrived at `received` says. A value that is not of the
    /// form counts as not said.
    pub fn read(headers: &HeaderMap, grpc: bool, received: Instant) -> Option<Self> {
        let value = headers.get(name(grpc))?.to_str().ok()?;
        let wait = if grpc {
            grpc_timeout(value)?
        } else {
            Duration::from_millis(number(value)?)
        };
        let at = received.checked_add(wait)?;
        Some(Self { grpc, at })
    }

    /// That of a gRPC call that the gateway makes.
    pub const fn of_call(at: Instant) -> Self {
        Self { grpc: true, at }
    }

    /// Removes what a caller says.
    pub fn remove(headers: &mut HeaderMap, grpc: bool) {
        headers.remove(name(grpc));
    }

    /// Tells the next hop what is left.
    pub(crate) fn write(self, headers: &mut HeaderMap, now: Instant) {
        let left = self.at.saturating_duration_since(now);
        let value = if self.grpc {
            HeaderValue::from_str(&grpc_text(left)).ok()
        } else {
            Some(HeaderValue::from(millis(left)))
        };
        if let Some(value) = value {
            headers.insert(name(self.grpc), value);
        }
    }
}

const fn name(grpc: bool) -> HeaderName {
    if grpc { GRPC_TIMEOUT } else { REQUEST_DEADLINE }
}

/// `TimeoutValue TimeoutUnit`: up to 8 digits, and one of `H`, `M`, `S`, `m`, `u`, `n`.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value = number(digits)?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3_600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

fn number(digits: &str) -> Option<u64> {
    let plain =
        (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The finest unit in which the time has at most 8 digits, rounded down: no hop adds time.
fn grpc_text(left: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let nanos = left.as_nanos();
    for (unit, size) in [
        ('n', 1),
        ('u', 1_000),
        ('m', 1_000_000),
        ('S', 1_000_000_000),
        ('M', 60_000_000_000),
    ] {
        if nanos / size <= MOST {
            return format!("{}{unit}", nanos / size);
        }
    }
    format!("{}H", (nanos / 3_600_000_000_000).min(MOST))
}

fn millis(left: Duration) -> u64 {
    u64::try_from(left.as_millis())
        .unwrap_or(u64::MAX)
        .min(99_999_999)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn reads_the_units_of_grpc() {
        let now = Instant::now();
        let read = |value: &str| {
            let deadline = Deadline::read(&headers(GRPC_TIMEOUT, value), true, now)?;
            Some(deadline.at - now)
        };
        assert_eq!(read("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("4S"), Some(Duration::from_secs(4)));
        assert_eq!(read("5m"), Some(Duration::from_millis(5)));
        assert_eq!(read("6u"), Some(Duration::from_micros(6)));
        assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in [
            "",
            "S",
            "1",
            "1s",
            "123456789S",
            "-1S",
            "+1S",
            "1.5S",
            "1 S",
            "1é",
        ] {
            let mut raw = HeaderMap::new();
            raw.insert(
                GRPC_TIMEOUT,
                HeaderValue::from_bytes(bad.as_bytes()).unwrap(),
            );
            assert_eq!(Deadline::read(&raw, true, now), None, "{bad}");
        }
    }

    #[test]
    fn tells_what_is_left() {
        let now = Instant::now();
        let mut told = headers(REQUEST_DEADLINE, "1500");
        let deadline = Deadline::read(&told, false, now).unwrap();
        deadline.write(&mut told, now + Duration::from_micros(400_500));
        assert_eq!(told.get(REQUEST_DEADLINE).unwrap(), "1099");
        deadline.write(&mut told, now + Duration::from_secs(9));
        assert_eq!(told.get(REQUEST_DEADLINE).unwrap(), "0");
        assert_eq!(Deadline::read(&told, true, now), None);
        Deadline::remove(&mut told, false);
        assert!(told.is_empty());
    }

    proptest! {
        /// Written and read again it is never longer, and hardly shorter.
        #[test]
        fn no_hop_adds_time(nanos in 0_u64..=u64::MAX / 4) {
            let left = Duration::from_nanos(nanos);
            let text = grpc_text(left);
            let read = grpc_timeout(&text).unwrap();
            prop_assert!(text.len() <= DIGITS + 1);
            prop_assert!(read <= left);
            prop_assert!(left - read <= left / 100_000 + Duration::from_nanos(1));
        }
    }
}
