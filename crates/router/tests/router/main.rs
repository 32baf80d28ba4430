//! What is matched, in which order, and what is said of routes that can't be built.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod diagnostics;
mod patterns;
mod precedence;
mod reference;
