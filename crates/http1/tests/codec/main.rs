//! Both sides of the codec, on in-memory streams and raw bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod basics;
mod departure;
mod faults;
mod hygiene;
mod properties;
mod request_framing;
mod request_heads;
mod response_framing;
mod response_heads;
mod support;
mod upstream;
