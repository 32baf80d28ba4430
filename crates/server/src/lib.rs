//! Workers, listeners and connections: what stands between the kernel's sockets and
//! [`lintel_proxy::serve`].
//!
//! - [`Server`] starts one thread a worker, changes the configuration they serve, and drains them.
//! - [`ListenerSpec`] says where and how a listener takes connections.
//! - [`handover`] passes the listening sockets to a new process; [`Inherited`] takes them over.
//! - [`service_manager`] talks to systemd.
//!
//! A connection lives on the worker that accepted it, from its first byte to its last, TLS handshake
//! included. Nothing is shared between workers but the counts behind the connection limits, which
//! are touched when a connection opens and closes.

mod connection;
mod drain;
mod error;
pub mod handover;
mod inherited;
mod server;
pub mod service_manager;
mod settings;
mod socket;
mod spec;
mod vitals;
mod worker;

pub use error::{BindError, Conflict, PublishError, StartError};
pub use inherited::{InheritError, Inherited};
pub use server::{Applied, DrainReport, Server};
pub use settings::Settings;
pub use spec::{
    Bind, FloodLimits, Generation, H2Limits, Limits, ListenerSpec, Protocols, listener_id,
};
pub use worker::WorkerStatus;
