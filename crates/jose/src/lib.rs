//! Signed tokens (JWS and JWT) and the keys that verify them, as strict as a front door must be.
//!
//! - [`Keys`]: a set of keys from a JWK Set, a PEM file or a shared secret. What a key may be used
//!   for is settled when it is loaded, never by a token.
//! - [`Token`]: a compact token taken apart, not yet believed.
//! - [`Signer`]: a private key, and the tokens that it makes.
//! - [`ClientKey`]: a private key of a client, and its proof of who it is.
//! - [`Rules`]: what the claims of a believed token must say.
//!
//! Nothing here waits, reads files or knows of HTTP. Signatures are verified by aws-lc-rs.

mod algorithm;
mod claims;
mod client_key;
mod json;
mod key;
mod keys;
mod refusal;
mod signer;
#[cfg(test)]
mod tests;
mod token;

pub use self::{
    algorithm::{Algorithm, Family},
    claims::{Claims, Rules},
    client_key::ClientKey,
    key::{Key, KeyError, Print},
    keys::Keys,
    refusal::Refusal,
    signer::Signer,
    token::{MAX_TOKEN, Token, fingerprint},
};
