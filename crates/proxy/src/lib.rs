//! The path of a request through the gateway. Start reading at [`request`].

mod active;
pub mod compose;
mod connection;
mod copied;
mod date;
mod dispatch;
pub mod fallback;
pub mod grpc;
mod grpc_details;
pub mod malformed;
pub mod mirror;
mod receive;
pub mod refuse;
pub mod request;
mod respond;
pub mod shed;
pub mod snapshot;
pub mod split;
mod tracked;
mod tunnel;
mod worker;

pub use connection::{Connection, Wire};
pub use request::{Answer, serve};
pub use snapshot::Snapshot;
pub use tracked::Tracked;
pub use tunnel::Tunnel;
pub use worker::{Local, Worker};
