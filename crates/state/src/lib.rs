//! State that policies keep between requests.
//!
//! - [`Local`]: a value of its own for each worker, behind an object that all of them share.
//! - [`in_flight`]: what is under way now, counted by all workers together.
//! - [`ledger`]: counts that must not be lost, by period of the calendar.
//! - [`limit`]: how often something may be done, counted by all workers together.
//! - [`revoked`]: credentials that are taken back before they end.
//! - [`store`]: what replicas share.
//! - [`Memory`]: what was found out before, bounded in bytes and in time.

pub mod in_flight;
pub mod ledger;
pub mod limit;
mod local;
mod memory;
pub mod revoked;
pub mod store;

pub use self::{local::Local, memory::Memory};
