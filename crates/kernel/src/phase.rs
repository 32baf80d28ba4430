//! The order in which policies run.

use std::fmt;

use crate::Rejection;

/// Where in the life of a request a policy runs. Requests pass the phases in this order, responses
/// backwards; users never order policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Cheap refusals and browser preflight, before any identity work.
    Edge,
    /// Who is calling.
    Authenticate,
    /// May they call this route at all.
    Authorize,
    /// May they call it now.
    Admit,
    /// Is the request well-formed for this API.
    Inspect,
    /// Can it be answered without an upstream.
    Cache,
    /// What goes in and what comes out.
    Transform,
    /// What is recorded.
    Observe,
}

impl Phase {
    /// The name used in docs, spans, metrics and `lintel explain`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Authenticate => "authenticate",
            Self::Authorize => "authorize",
            Self::Admit => "admit",
            Self::Inspect => "inspect",
            Self::Cache => "cache",
            Self::Transform => "transform",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a policy decides about a request. `R` is a complete answer.
#[derive(Debug)]
pub enum Flow<R> {
    /// Go on with the next policy.
    Next,
    /// Answer at once; later policies and the upstream are not asked.
    Answer(R),
    /// Refuse, in the error format of the caller's protocol.
    Refuse(Rejection),
    /// Not decided yet: something must be waited for.
    Wait,
}
