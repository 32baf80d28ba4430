//! Keeps the names of services resolved, on the control runtime.

mod follow;
mod names;
mod resolution;
#[cfg(test)]
pub(crate) mod scripted;
mod system;
#[cfg(test)]
mod tests;

use std::{future::Future, net::IpAddr, pin::Pin, time::Duration};

pub(crate) use self::resolution::Task;
pub use self::{
    resolution::{Control, Resolution},
    system::SystemLookup,
};
use crate::service::Addresses;

/// Finds the addresses of a name.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a name, of the families asked for.
    ///
    /// # Errors
    ///
    /// Why there is no answer, for the log and the admin interface.
    fn lookup<'a>(&'a self, name: &'a str, addresses: Addresses) -> Looking<'a>;
}

/// A look-up under way.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<Answer, String>> + Send + 'a>>;

/// What a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// How long the answer holds.
    pub ttl: Duration,
}
