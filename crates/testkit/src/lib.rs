//! What tests of the whole gateway share.
//!
//! [`Origin`] is a scripted upstream, [`Client`] a client that shows the bytes as they came,
//! [`Redis`] a real server, [`Scenario`] an example from a README that can be run, [`until`] waits for a condition. All of it
//! is blocking, on threads of its own, and shares no code with the gateway: a fault in the codec
//! can't hide itself.
//!
//! Everything here panics with what went wrong, as a failed assertion does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests use this crate, and a panic is how a test fails"
)]

mod answer;
mod client;
mod fleet;
mod message;
mod origin;
mod redis;
mod scenario;
mod wait;

pub use answer::Answer;
pub use client::{Client, Reply};
pub use fleet::{Cluster, Moving, Sentinel};
pub use message::{Fields, Seen};
pub use origin::Origin;
pub use redis::Redis;
pub use scenario::{Exchange, Expected, Message, Scenario, scenarios};
pub use wait::{PATIENCE, until};
