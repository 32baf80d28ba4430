//! The control side: everything that may wait and may fail while the workers serve on.

pub mod admin;
mod breakers;
mod compose;
pub mod expectations;
pub mod explain;
mod gateway;
mod picture;
mod reflection;
pub mod status;
mod watch;

pub use gateway::{Gateway, Reloaded, StartError, Started};
pub use status::Status;
pub use watch::Watch;
