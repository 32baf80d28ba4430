//! Counts that must not be lost: of quotas, of what is billed.
//!
//! - [`Ledger`]: accounts by name, counted by all threads without a lock, within a bound of memory.
//! - [`Account`]: what one of them has had, by period of the calendar.
//! - [`Book`]: a ledger, and the file that keeps it over a restart.

mod account;
mod book;
mod directory;
mod journal;

#[cfg(test)]
mod tests;

pub use self::{
    account::{Account, Change, Period},
    book::{Book, Keep},
    directory::{Ledger, OVERFLOW},
    journal::Figures,
};
