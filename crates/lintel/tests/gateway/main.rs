//! The `lintel` binary as a whole, over loopback, between scripted origins and real clients.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod admin;
mod beside;
mod clients;
mod commands;
mod drills;
mod edges;
mod endpoints;
mod faults;
mod grpc;
mod h2load;
mod http2;
mod issuers;
mod lifecycle;
mod limits;
mod malformed;
mod neighbours;
mod overload;
mod proxying;
mod readmes;
mod reload;
mod scale;
mod splits;
mod support;
mod upstream;
mod volume;
mod websocket;
