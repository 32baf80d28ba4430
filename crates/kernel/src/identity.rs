//! Who is calling.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

/// Who is calling, as one policy of the phase *authenticate* has proved it. Made once for each
/// credential and shared by the requests that present it.
#[derive(Clone, Default, PartialEq)]
pub struct Identity {
    /// The policy that proved it.
    pub method: &'static str,
    /// The consumer it belongs to, where it is a declared one.
    pub consumer: Option<Arc<Consumer>>,
    /// What the credential says of its bearer: the claims of a token. Empty for the others.
    pub claims: Map<String, Value>,
    /// Which credential it was, for the log: the id of a key, never the key.
    pub credential: Option<Box<str>>,
    /// What the bearer may do, where the credential says so (RFC 6749 §3.3).
    pub scopes: Vec<Box<str>>,
}

/// A known caller of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The plan it is on.
    pub plan: Option<Arc<str>>,
    /// Groups it is in.
    pub groups: Vec<Box<str>>,
}

impl Identity {
    /// A claim, by a path of names through nested objects.
    pub fn claim<'a>(&'a self, path: &[impl AsRef<str>]) -> Option<&'a Value> {
        let (first, rest) = path.split_first()?;
        let first = self.claims.get(first.as_ref())?;
        rest.iter()
            .try_fold(first, |value, name| value.get(name.as_ref()))
    }

    /// Whether a scope was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| &**own == scope)
    }
}

impl fmt::Debug for Identity {
    /// Without the values of claims: they are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("method", &self.method)
            .field("consumer", &self.consumer)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}
