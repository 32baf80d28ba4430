//! The policies: one folder each, one list for all.
//!
//! Adding a policy is a folder with a `README.md` (its documentation and acceptance tests), a
//! `mod.rs`, a `config.rs`, and one line in the list below, in the order of phases.

mod ask;
mod backend;
mod bearer;
mod beginning;
mod callers;
mod chain;
mod challenge;
mod consumers;
mod credential;
mod described;
mod form;
mod forward;
mod gate;
mod issuer;
mod judged;
mod keep;
pub mod keys;
mod live;
mod password;
mod per;
mod policy;
mod registry;
mod replayed;
mod revocation;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod token_endpoint;
mod verdict;

pub use backend::{Backend, Question, Reply, ServiceRef, Unanswered};
pub use chain::{Chain, Depth};
pub use consumers::{
    BasicConfig, CertificateConfig, ConsumerConfig, Directory, KeyConfig, Layer, Layers, Outside,
    SigningAlgorithm, SigningKeyConfig, TokenConfig,
};
pub use credential::Place;
pub use headers::managed as managed_field;
pub use identity_token::identity_keys;
pub use issuer::{Issuer, IssuerStatus};
pub use policy::{Context, Off, Policy, Setting, Wait};
pub use registry::Entry;

registry::registry! {
    /// Lets pages of other origins read answers.
    Edge cors => Cors;
    /// Injects faults on purpose: delays, refusals, slow and broken answers.
    Edge fault => FaultInjection;
    /// Holds off clients whose credentials keep failing.
    Edge failed_auth => FailedAuth;
    /// Believes callers that bring a signed token of a trusted issuer.
    Authenticate jwt => Jwt;
    /// Believes callers whose token an authorization server calls active.
    Authenticate oauth2_introspection => Introspection;
    /// Knows consumers by a key that they send along.
    Authenticate api_key => ApiKey;
    /// Knows callers by the certificate that they have shown.
    Authenticate mtls => Mtls;
    /// Knows consumers by the signature of their request.
    Authenticate hmac => Hmac;
    /// Knows callers by name and password.
    Authenticate basic_auth => BasicAuth;
    /// Knows people by their login at an OpenID Connect provider.
    Authenticate oidc => Oidc;
    /// Lets requests pass that bring no credentials.
    Authenticate anonymous => Anonymous;
    /// Lets callers pass that may do what they ask for.
    Authorize authorize => Authorize;
    /// Asks a service whether a request may pass.
    Authorize ext_authz => ExtAuthz;
    /// Lets requests pass that policies in the language Rego allow.
    Authorize rego => Rego;
    /// Lets requests pass that policies in the language Cedar permit.
    Authorize cedar => Cedar;
    /// Holds callers to so many requests in a time.
    Admit rate_limit => RateLimit;
    /// Holds callers to so many requests at once.
    Admit concurrency => Concurrency;
    /// Holds callers to so many requests in each hour, day, week or month of the calendar.
    Admit quota => Quotas;
    /// Holds requests back from services that do not answer well.
    Admit load_shed => LoadShed;
    /// Rewrites the path or the host that the upstream sees.
    Transform rewrite => Rewrite;
    /// Sets, adds and removes header fields, both ways.
    Transform headers => Headers;
    /// Translates between JSON and XML or SOAP, both ways.
    Transform xml_json => XmlJson;
    /// Exchanges callers' tokens for ones that services are meant to see.
    Transform token_exchange => TokenExchange;
    /// Tells services who is calling, in a token that the gateway signs.
    Transform identity_token => IdentityToken;
    /// Counts who has used what, for bills.
    Observe metering => Metering;
    /// Writes one line for every request.
    Observe access_log => AccessLog;
}

const _: () = assert!(
    registry::is_ordered(REGISTRY),
    "policies must be listed in phase order"
);
