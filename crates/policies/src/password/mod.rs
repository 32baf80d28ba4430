//! Passwords, and the hashes that they are held against.
//!
//! A good password hash is slow on purpose: tens of milliseconds, and megabytes of memory. So it is
//! computed beside the workers, by a few threads with a bounded queue, and each worker remembers
//! what came of it.

mod facts;
mod hash;
mod pool;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use self::{
    facts::{Checked, check},
    hash::{Hash, argon2id},
    pool::Busy,
};

/// The longest password that is looked at, in bytes. Hashing more would be work for nothing.
pub(crate) const LONGEST: usize = 1024;

/// Whether a password is the one behind a hash. Waits while it is computed.
///
/// # Errors
/// Too many are being computed already.
pub(crate) async fn verify(hash: &Arc<Hash>, password: &str) -> Result<bool, Busy> {
    facts::verify(&pool::POOL, hash, password).await
}
