//! The declared consumers: who may call, and how each of them is recognised.
//!
//! Built once for a configuration and shared by the policies of the phase *authenticate*. What a
//! policy looks up is an index of its own, one file each; indexes with equal content are equal, so
//! that what was remembered of one outlives a reload that did not touch it.

mod certificates;
mod config;
mod directory;
mod identities;
mod keys;
mod signers;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

pub(crate) use certificates::Certificates;
pub use config::{
    BasicConfig, CertificateConfig, ConsumerConfig, KeyConfig, SigningAlgorithm, SigningKeyConfig,
    TokenConfig,
};
pub use directory::Directory;
pub(crate) use keys::{Keys, Lookup};
pub(crate) use signers::{Signer, Signers, SigningKey};
pub(crate) use tokens::Tokens;
pub(crate) use users::{User, Users};
