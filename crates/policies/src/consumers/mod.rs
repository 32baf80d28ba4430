//! The declared consumers: who may call, and how each of them is recognised.
//!
//! Built once for a configuration and shared by the policies of the phase *authenticate*. What a
//! policy looks up is an index of its own, one file each; indexes with equal content are equal, so
//! that what was remembered of one outlives a reload that did not touch it. Those that come from
//! [outside](Outside) are looked up beside those of the configuration.

mod certificates;
mod config;
mod directory;
mod grant;
mod identities;
mod keys;
mod outside;
mod roll;
mod signers;
#[cfg(test)]
mod tests;
mod tokens;
mod users;

pub use config::{
    BasicConfig, CertificateConfig, ConsumerConfig, KeyConfig, SigningAlgorithm, SigningKeyConfig,
    TokenConfig,
};
pub use directory::Directory;
pub(crate) use keys::{Keys, Lookup};
pub(crate) use outside::Seen;
pub use outside::{Layer, Layers, Outside};
pub(crate) use roll::{Claimed, FoundKey, KeyEntry, Roll, View};
pub(crate) use signers::{Signer, SigningKey};
pub(crate) use users::{User, Users};
