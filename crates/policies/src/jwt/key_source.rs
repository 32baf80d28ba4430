//! The keys of an issuer, and what they were read from.

use std::{fmt, sync::Arc};

use lintel_jose::{Algorithm, Keys};

/// Keys from the configuration, or from a file that was read with it. The text they were made of
/// tells one source from another.
#[derive(Clone)]
pub(super) struct KeySource {
    pub(super) text: Arc<[u8]>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys: Arc<Keys>,
}

impl PartialEq for KeySource {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.algorithms == other.algorithms
    }
}

impl fmt::Debug for KeySource {
    /// Without the text, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySource").field(&self.keys).finish()
    }
}
