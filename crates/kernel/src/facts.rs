//! The four facts every failure carries, from which its status follows.

use http::StatusCode;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The message breaks its protocol.
    Protocol,
    /// No connection could be made (name, address, TLS).
    Connect,
    /// An established connection broke.
    Reset,
    /// A deadline passed.
    Timeout,
    /// A limit of the configuration was exceeded.
    Limit,
    /// Nothing is able to take the request now.
    Unavailable,
    /// A rule of the configuration forbids it.
    Denied,
    /// A defect of the gateway itself.
    Internal,
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller's.
    Client,
    /// The gateway's.
    Gateway,
    /// The service's behind it.
    Upstream,
}

/// The facts of one failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What happened.
    pub kind: Kind,
    /// Where it happened.
    pub side: Side,
    /// Whether the upstream certainly did not act on the request, so that another try is safe.
    pub retryable: bool,
}

impl Facts {
    /// A failure that must not be tried again blindly.
    pub const fn new(kind: Kind, side: Side) -> Self {
        Self {
            kind,
            side,
            retryable: false,
        }
    }

    /// The same failure, known not to have been acted on.
    pub const fn retryable(self) -> Self {
        Self {
            retryable: true,
            ..self
        }
    }

    /// The status a client sees: the one table from facts to statuses (RFC 9110 §15.5, §15.6).
    pub const fn status(self) -> StatusCode {
        match (self.side, self.kind) {
            (Side::Client, Kind::Timeout) => StatusCode::REQUEST_TIMEOUT,
            (Side::Client, Kind::Denied) => StatusCode::FORBIDDEN,
            (Side::Client, Kind::Limit) => StatusCode::PAYLOAD_TOO_LARGE,
            (Side::Client, _) => StatusCode::BAD_REQUEST,
            (_, Kind::Timeout) => StatusCode::GATEWAY_TIMEOUT,
            (_, Kind::Unavailable | Kind::Limit) => StatusCode::SERVICE_UNAVAILABLE,
            (Side::Upstream, _) => StatusCode::BAD_GATEWAY,
            (Side::Gateway, _) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
