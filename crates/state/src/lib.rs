//! State that policies keep between requests.
//!
//! - [`Local`]: a value of its own for each worker, behind an object that all of them share.
//! - [`limit`]: how often something may be done, counted by all workers together.
//! - [`store`]: what replicas share.
//! - [`Memory`]: what was found out before, bounded in bytes and in time.

pub mod limit;
mod local;
mod memory;
pub mod store;

pub use self::{local::Local, memory::Memory};
