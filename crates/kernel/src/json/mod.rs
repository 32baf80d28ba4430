//! JSON texts (RFC 8259), read value by value where they lie: for readers that must not lose the order of
//! members or the digits of a number, and that tell where something does not fit; and a quick look at
//! whether a text is JSON at all.

mod lexer;
mod mismatch;
mod plain;
mod scan;
#[cfg(test)]
mod tests;

pub use lexer::{Lexer, MAX_DEPTH};
pub use mismatch::{Mismatch, Read};
pub use plain::is_plain;
pub use scan::number_length;
