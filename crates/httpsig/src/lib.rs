//! Signed HTTP requests, as strict as a front door must be.
//!
//! - [`Message`]: a request as its signer saw it.
//! - [`Signature`]: one signature of a message (RFC 9421), and the base that it was made over.
//! - [`Digests`]: what a message says of its content (RFC 9530).
//! - [`sigv4`]: requests that are signed as AWS has it (Signature Version 4).
//!
//! Nothing here waits or reads files. Keys are those of `lintel-jose`.

mod algorithm;
mod component;
mod digest;
mod message;
mod signature;
pub mod sigv4;
#[cfg(test)]
mod tests;

pub use self::{
    algorithm::Algorithm,
    component::Unfit,
    digest::{Digests, Hashing},
    message::Message,
    signature::{Malformed, Signature, signatures},
};
