//! Which failures and answers deserve another try.

use http::{HeaderMap, StatusCode};
use lintel_kernel::{Facts, Kind, Side};
use lintel_telemetry::metrics::RetryReason;

const STATUS_WORDS: usize = 10;
const WORD: usize = 64;

/// A set of things that may go wrong with a try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// No connection could be made.
    pub connect_failure: bool,
    /// The connection broke, or what came is no valid answer, before the head was complete.
    pub reset: bool,
    /// The upstream said that it did not look at the request: REFUSED_STREAM, or GOAWAY with a
    /// lower last stream (RFC 9113 §8.7).
    pub refused_stream: bool,
    /// No head in the time for one try, or for the first byte.
    pub timeout: bool,
    /// Statuses of answers, as a set of bits.
    statuses: [u64; STATUS_WORDS],
    /// gRPC status codes, as a set of bits.
    grpc: u32,
}

impl Conditions {
    /// Adds a status.
    pub fn add_status(&mut self, status: u16) {
        let index = usize::from(status);
        if let Some(word) = self.statuses.get_mut(index / WORD) {
            *word |= 1 << (index % WORD);
        }
    }

    /// Adds a gRPC status code, 0 to 31.
    pub fn add_grpc(&mut self, code: u8) {
        self.grpc |= 1_u32.checked_shl(u32::from(code)).unwrap_or(0);
    }

    /// Whether a gRPC status code is among them.
    pub const fn has_grpc(&self) -> bool {
        self.grpc != 0
    }

    fn has_status(&self, status: StatusCode) -> bool {
        let index = usize::from(status.as_u16());
        self.statuses
            .get(index / WORD)
            .is_some_and(|word| word & (1 << (index % WORD)) != 0)
    }

    /// Why a try that failed so is worth another, if it is.
    pub(crate) fn of_failure(&self, facts: Facts) -> Option<RetryReason> {
        if facts.side != Side::Upstream {
            return None;
        }
        match facts.kind {
            // What is certain not to have been acted on, though the connection stood.
            Kind::Reset if facts.retryable => {
                self.refused_stream.then_some(RetryReason::RefusedStream)
            }
            Kind::Reset | Kind::Protocol => self.reset.then_some(RetryReason::Reset),
            Kind::Connect => self.connect_failure.then_some(RetryReason::ConnectFailure),
            Kind::Timeout if facts.retryable => {
                self.connect_failure.then_some(RetryReason::ConnectFailure)
            }
            Kind::Timeout => self.timeout.then_some(RetryReason::Timeout),
            _ => None,
        }
    }

    /// Why an answer is worth another try, if it is. Of gRPC answers those are looked at that are
    /// trailers-only, whose status is in the head; once messages flow there is no way back.
    pub(crate) fn of_answer(&self, status: StatusCode, headers: &HeaderMap) -> Option<RetryReason> {
        if self.has_status(status) {
            return Some(RetryReason::Status);
        }
        if self.grpc == 0 {
            return None;
        }
        let code: u8 = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
        let bit = 1_u32.checked_shl(u32::from(code)).unwrap_or(0);
        (self.grpc & bit != 0).then_some(RetryReason::Grpc)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderValue;

    use super::*;

    fn grpc(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn answers_by_status_and_grpc_code() {
        let mut on = Conditions::default();
        assert_eq!(on.of_answer(StatusCode::BAD_GATEWAY, &grpc("14")), None);
        on.add_status(503);
        on.add_status(9_999);
        on.add_grpc(14);
        on.add_grpc(200);
        let plain = HeaderMap::new();
        let of = |status, headers: &HeaderMap| {
            on.of_answer(StatusCode::from_u16(status).unwrap(), headers)
        };
        assert_eq!(of(503, &plain), Some(RetryReason::Status));
        assert_eq!(of(502, &plain), None);
        assert_eq!(of(999, &plain), None);
        assert_eq!(of(200, &grpc("14")), Some(RetryReason::Grpc));
        for other in ["13", "0", "x", "", "300", "40"] {
            assert_eq!(of(200, &grpc(other)), None, "{other}");
        }
    }

    #[test]
    fn failures_by_their_facts() {
        let all = Conditions {
            connect_failure: true,
            reset: true,
            refused_stream: true,
            timeout: true,
            ..Conditions::default()
        };
        let upstream = |kind| Facts::new(kind, Side::Upstream);
        for (facts, reason) in [
            (
                upstream(Kind::Connect).retryable(),
                Some(RetryReason::ConnectFailure),
            ),
            (
                upstream(Kind::Timeout).retryable(),
                Some(RetryReason::ConnectFailure),
            ),
            (upstream(Kind::Timeout), Some(RetryReason::Timeout)),
            (upstream(Kind::Reset), Some(RetryReason::Reset)),
            (upstream(Kind::Protocol), Some(RetryReason::Reset)),
            (
                upstream(Kind::Reset).retryable(),
                Some(RetryReason::RefusedStream),
            ),
            (upstream(Kind::Unavailable).retryable(), None),
            (Facts::new(Kind::Reset, Side::Client), None),
            (Facts::new(Kind::Limit, Side::Gateway).retryable(), None),
        ] {
            assert_eq!(all.of_failure(facts), reason, "{facts:?}");
            assert_eq!(Conditions::default().of_failure(facts), None);
        }
    }
}
