//! How often something may be done.
//!
//! - [`TokenBucket`], [`SlidingWindow`], [`FixedWindow`]: what a limit means. Each works on one word
//!   of state and a time that it is given, and knows nothing else.
//! - [`Recent`]: how often something happened lately, in one such word.
//! - [`stock`]: what of a limit is held here ahead of need.
//! - [`Table`]: such words for many keys, shared by all threads without a lock, within a bound of
//!   memory.

mod fixed_window;
mod key;
mod recent;
mod rule;
mod share;
mod sliding_window;
pub mod stock;
mod table;
mod token_bucket;

#[cfg(test)]
mod tests;

pub use self::{
    fixed_window::FixedWindow,
    key::{Key, KeyHasher},
    recent::Recent,
    rule::{Invalid, Left, Refused, Rule},
    sliding_window::SlidingWindow,
    table::{Change, Spent, Table, Updated},
    token_bucket::TokenBucket,
};
