//! Against real Redis servers: killed, stopped, slow, emptied, with their scripts gone,
//! failing over, behind TLS, and as clusters whose slots move.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod cluster;
mod leases;
mod limits;
mod model;
mod records;
mod replicas;
mod sentinel;
mod server;
mod slow;
mod tls;
