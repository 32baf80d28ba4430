//! What is checked, as the configuration says it.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use ::http::{HeaderValue, Method, uri::PathAndQuery};

/// A check of every endpoint of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// From the end of one check to the begin of the next, give or take a tenth.
    pub interval: Duration,
    /// The same until the endpoint has passed or failed often enough to be known.
    pub first_interval: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// Checks in a row that must pass until an unhealthy endpoint is healthy.
    pub healthy_after: u32,
    /// Checks in a row that must fail until a healthy endpoint is unhealthy.
    pub unhealthy_after: u32,
    /// An endpoint that comes gets no requests before its first check has passed.
    pub before_use: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// That a connection can be made, with TLS where the endpoint has it.
    Tcp,
    /// That a request is answered as it should be.
    Http(HttpProbe),
    /// That this service of gRPC's health protocol is serving; empty for the server as a whole.
    Grpc(Arc<str>),
}

/// A request, and how it should be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpProbe {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub path: PathAndQuery,
    /// The `Host`; none for the endpoint's own.
    pub host: Option<HeaderValue>,
    /// Good statuses.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// What the body must hold, in its first 64 KiB.
    pub body: Option<BodyTest>,
}

/// What a body must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyTest {
    /// This text.
    Contains(Arc<str>),
    /// Something that this expression matches.
    Matches(Pattern),
}

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern(regex::bytes::Regex);

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    ///
    /// It is not a regular expression, or a very large one.
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        regex::bytes::Regex::new(pattern).map(Self)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl BodyTest {
    /// Whether a body passes.
    pub(super) fn holds(&self, body: &[u8]) -> bool {
        match self {
            Self::Contains(text) => {
                text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes())
            }
            Self::Matches(pattern) => pattern.0.is_match(body),
        }
    }
}
