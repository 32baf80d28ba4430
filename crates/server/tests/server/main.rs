//! A server in this process, on loopback and free ports, in front of scripted origins.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod basics;
mod bytes;
mod departure;
mod drain;
mod expect;
mod floods;
mod handover;
mod http2;
mod idle;
mod interim;
mod limits;
mod panics;
mod publish;
mod refusals;
mod resources;
mod support;
mod tls;
mod websocket;
