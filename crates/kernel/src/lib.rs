//! The vocabulary of the gateway: what a request carries through it, the phases it passes, how it
//! is refused, and the value types that the configuration is written in.
//!
//! Everything else depends on this crate; it depends on no other crate of the workspace.

#[macro_use]
mod text_value;

pub mod allotment;
pub mod beside;
pub mod certificate;
pub mod duration;
pub mod exchange;
pub mod expr;
pub mod facts;
pub mod fault;
pub mod hash;
pub mod identity;
pub mod json;
pub mod leg;
pub mod phase;
pub mod priority;
pub mod rate;
pub mod rejection;
pub mod secret;
pub mod share;
pub mod size;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod wall;

pub use allotment::{Allotment, Span};
pub use certificate::ClientCertificate;
pub use duration::Duration;
pub use exchange::{Allowance, Detour, Ending, Exchange, Faults, Held, Names, Outcome};
pub use facts::{Facts, Kind, Side};
pub use fault::Fault;
pub use identity::{Consumer, Identity};
pub use leg::{LegRecord, LegRecords};
pub use lintel_kernel_macros::config;
pub use phase::{Flow, Phase};
pub use priority::Priority;
pub use rate::Rate;
pub use rejection::{GrpcCode, Rejection};
pub use secret::Secret;
pub use share::Share;
pub use size::ByteSize;

#[doc(hidden)]
pub use {schemars, serde};
