//! Why a leg failed.

use std::fmt;

/// Why a leg has not brought what it should. The words are stable: clients, logs and metrics show
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No whole answer in time.
    Timeout,
    /// A status that is not expected.
    Status,
    /// No connection, a broken one, or no valid answer.
    Unreachable,
    /// No endpoint, or limits or a breaker leave no room.
    Unavailable,
    /// The answer is larger than allowed, or all answers together are.
    TooLarge,
    /// The answer is not JSON.
    NotJson,
    /// The request could not be made: a value in it is absent, or not fit for its place.
    NoValue,
    /// The same, and a leg that it waited for has failed or was skipped.
    Dependency,
    /// The list that it is made for is longer than allowed.
    TooMany,
    /// A filter of it failed.
    Filter,
    /// What it would send does not fit the method.
    Unfit,
    /// The answer to a call is not one of gRPC.
    NotGrpc,
    /// The answer to a query lists errors, or is none of GraphQL.
    GraphqlErrors,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Timeout,
        Self::Status,
        Self::Unreachable,
        Self::Unavailable,
        Self::TooLarge,
        Self::NotJson,
        Self::NoValue,
        Self::Dependency,
        Self::TooMany,
        Self::Filter,
        Self::Unfit,
        Self::NotGrpc,
        Self::GraphqlErrors,
    ];

    /// Whether the service had no answer, rather than one that is no success; `status` is that of the
    /// answer. 408 and 429 say to come back (RFC 9110 §15.5.9, RFC 6585 §4).
    pub fn is_outage(self, status: Option<u16>) -> bool {
        match self {
            Self::Timeout
            | Self::Unreachable
            | Self::Unavailable
            | Self::TooLarge
            | Self::NotJson
            | Self::NotGrpc => true,
            Self::Status => {
                status.is_some_and(|status| status >= 500 || [408, 429].contains(&status))
            }
            _ => false,
        }
    }

    /// The word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::NoValue => "no_value",
            Self::Dependency => "dependency",
            Self::TooMany => "too_many",
            Self::Filter => "filter",
            Self::Unfit => "unfit",
            Self::NotGrpc => "not_grpc",
            Self::GraphqlErrors => "graphql_errors",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
