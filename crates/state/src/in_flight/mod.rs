//! What is under way now, by key, counted by all threads together.
//!
//! - [`InFlight`]: the counts, and who waits for a place.
//! - [`Bounds`]: how much may be.

mod count;
mod group;
mod line;
mod table;

#[cfg(test)]
mod tests;

pub use self::{
    count::{Bounds, MOST, MOST_WAITING},
    table::{Enter, InFlight, Place},
};
