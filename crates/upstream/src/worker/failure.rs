//! Why a service gave no answer.

use std::{net::SocketAddr, time::Duration};

use lintel_http::{Body, BodyError};
use lintel_http1::client;
use lintel_kernel::{Facts, Kind, Side};
use lintel_telemetry::metrics::AttemptOutcome;

use super::{connect::ConnectError, patience::Late, send::Tried};

/// Codes that clients see; they may depend on them.
pub(crate) mod code {
    /// No connection could be made.
    pub(crate) const CONNECT_FAILED: &str = "upstream_connect_failed";
    /// No connection could be made in time.
    pub(crate) const CONNECT_TIMEOUT: &str = "upstream_connect_timeout";
    /// The connection broke before the answer.
    pub(crate) const RESET: &str = "upstream_reset";
    /// No answer came in time.
    pub(crate) const TIMEOUT: &str = "upstream_timeout";
    /// The answer is not valid HTTP.
    pub(crate) const BAD_RESPONSE: &str = "upstream_bad_response";
    /// The service has no endpoint to send to.
    pub(crate) const NO_ENDPOINT: &str = "no_endpoint";
    /// The limits of the service leave no room.
    pub(crate) const OVERLOADED: &str = "upstream_overloaded";
    /// The service fails too often to be asked now.
    pub(crate) const BREAKER_OPEN: &str = "breaker_open";
    /// As many requests are under way as may be.
    pub(crate) const CONCURRENCY_FULL: &str = "concurrency_full";
    /// The service speaks HTTP/2 alone, where there is no switch of protocols.
    pub(crate) const UPGRADE_UNSUPPORTED: &str = "upgrade_unsupported";
    /// The body of the request failed on the client's side.
    pub(crate) const REQUEST_BODY: &str = "request_body_failed";
    /// The body of the request is over the limit.
    pub(crate) const REQUEST_TOO_LARGE: &str = "request_too_large";
    /// The client stopped sending its body.
    pub(crate) const REQUEST_TIMEOUT: &str = "request_timeout";
}

/// Why there is no answer, with what another try needs.
#[derive(Debug)]
pub struct Failure {
    /// What happened, where, and whether another try is safe whatever the method.
    pub facts: Facts,
    /// Stable code for the client, in snake_case.
    pub code: &'static str,
    /// For the log, never for the client.
    pub cause: String,
    /// The endpoint of the last try.
    pub endpoint: Option<SocketAddr>,
    /// Endpoints that took part, to be left out of another try.
    pub tried: Tried,
    /// How many tries there were.
    pub attempts: u8,
    /// The body, if nothing has been taken from it.
    pub body: Option<Body>,
    /// When it may be different, where that is known.
    pub retry_after: Option<Duration>,
}

/// The part of a failure that says what happened.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) facts: Facts,
    pub(crate) code: &'static str,
    pub(crate) text: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Cause {
    pub(crate) const fn new(facts: Facts, code: &'static str, text: String) -> Self {
        Self {
            facts,
            code,
            text,
            retry_after: None,
        }
    }

    /// The gateway does not ask the service now.
    pub(crate) fn unavailable(code: &'static str, text: String, rest: Duration) -> Self {
        Self {
            retry_after: Some(rest),
            ..Self::new(
                Facts::new(Kind::Unavailable, Side::Gateway).retryable(),
                code,
                text,
            )
        }
    }

    pub(crate) fn no_endpoint(text: impl Into<String>) -> Self {
        Self::new(
            Facts::new(Kind::Unavailable, Side::Upstream).retryable(),
            code::NO_ENDPOINT,
            text.into(),
        )
    }

    pub(crate) fn overloaded(text: impl Into<String>) -> Self {
        Self::new(
            Facts::new(Kind::Limit, Side::Gateway).retryable(),
            code::OVERLOADED,
            text.into(),
        )
    }

    pub(crate) fn no_upgrade() -> Self {
        let text =
            "a request to switch protocols, and the service speaks HTTP/2 alone (RFC 9113 §8.6)"
                .to_owned();
        Self::new(
            Facts::new(Kind::Protocol, Side::Upstream),
            code::UPGRADE_UNSUPPORTED,
            text,
        )
    }

    pub(crate) fn connect(error: ConnectError) -> Self {
        let (kind, code) = if error.timeout {
            (Kind::Timeout, code::CONNECT_TIMEOUT)
        } else {
            (Kind::Connect, code::CONNECT_FAILED)
        };
        Self::new(
            Facts::new(kind, Side::Upstream).retryable(),
            code,
            error.text,
        )
    }

    pub(crate) fn late(late: Late) -> Self {
        let text = match late {
            Late::FirstByte => "no answer within the first-byte timeout",
            Late::Deadline => "no answer before the deadline of the request",
        };
        Self::new(
            Facts::new(Kind::Timeout, Side::Upstream),
            code::TIMEOUT,
            text.to_owned(),
        )
    }

    pub(crate) fn request_body(facts: Facts, text: String) -> Self {
        let code = match facts.kind {
            Kind::Limit => code::REQUEST_TOO_LARGE,
            Kind::Timeout => code::REQUEST_TIMEOUT,
            _ => code::REQUEST_BODY,
        };
        Self::new(facts, code, text)
    }

    pub(crate) fn http1(failure: client::Failure<BodyError>) -> Self {
        use client::Failure as F;
        let text = failure.to_string();
        let (kind, code) = match failure {
            F::RequestBody(error) => return Self::request_body(error.facts, error.cause),
            F::RequestLength => {
                return Self::new(
                    Facts::new(Kind::Protocol, Side::Client),
                    code::REQUEST_BODY,
                    text,
                );
            }
            F::WriteTimeout => (Kind::Timeout, code::TIMEOUT),
            F::Write(_) | F::Closed | F::Read(_) | F::CutOff => (Kind::Reset, code::RESET),
            F::BadHead(_) | F::HeadTooLarge | F::UnaskedUpgrade => {
                (Kind::Protocol, code::BAD_RESPONSE)
            }
        };
        Self::new(Facts::new(kind, Side::Upstream), code, text)
    }

    /// How metrics count a try that ended so.
    pub(crate) const fn outcome(&self) -> AttemptOutcome {
        match (self.facts.side, self.facts.kind) {
            (Side::Client, _) => AttemptOutcome::Cancelled,
            (_, Kind::Timeout) => AttemptOutcome::Timeout,
            (_, Kind::Protocol) => AttemptOutcome::Protocol,
            (_, Kind::Connect) => AttemptOutcome::ConnectFailure,
            _ => AttemptOutcome::Reset,
        }
    }
}
