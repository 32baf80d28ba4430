//! JSON texts (RFC 8259), read value by value where they lie: for readers that must not lose the order of
//! members or the digits of a number, and that tell where something does not fit.

mod lexer;
mod mismatch;

pub use lexer::{Lexer, MAX_DEPTH, number_length};
pub use mismatch::{Mismatch, Read};
