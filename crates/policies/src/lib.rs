//! The policies: one folder each, one list for all.
//!
//! Adding a policy is a folder with a `README.md` (its documentation and acceptance tests), a
//! `mod.rs`, a `config.rs`, and one line in the list below, in the order of phases.

mod chain;
mod challenge;
mod consumers;
mod credential;
mod described;
mod forward;
mod gate;
pub mod keys;
mod password;
mod policy;
mod registry;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use chain::{Chain, Depth};
pub use consumers::{
    BasicConfig, CertificateConfig, ConsumerConfig, Directory, KeyConfig, TokenConfig,
};
pub use credential::Place;
pub use jwt::{Issuer, IssuerStatus};
pub use policy::{Context, Off, Policy, Setting, Wait};
pub use registry::Entry;

registry::registry! {
    /// Injects faults on purpose: delays, refusals, slow and broken answers.
    Edge fault => FaultInjection;
    /// Holds off clients whose credentials keep failing.
    Edge failed_auth => FailedAuth;
    /// Believes callers that bring a signed token of a trusted issuer.
    Authenticate jwt => Jwt;
    /// Knows consumers by a key that they send along.
    Authenticate api_key => ApiKey;
    /// Knows callers by the certificate that they have shown.
    Authenticate mtls => Mtls;
    /// Knows callers by name and password.
    Authenticate basic_auth => BasicAuth;
    /// Lets requests pass that bring no credentials.
    Authenticate anonymous => Anonymous;
    /// Lets callers pass that may do what they ask for.
    Authorize authorize => Authorize;
    /// Holds callers to so many requests in a time.
    Admit rate_limit => RateLimit;
    /// Rewrites the path or the host that the upstream sees.
    Transform rewrite => Rewrite;
    /// Sets, adds and removes header fields, both ways.
    Transform headers => Headers;
    /// Writes one line for every request.
    Observe access_log => AccessLog;
}

const _: () = assert!(
    registry::is_ordered(REGISTRY),
    "policies must be listed in phase order"
);
