//! A small HTTP/1.1 client for what the control side asks: registries, issuers of tokens.
//!
//! It runs on the control runtime, whose tasks move between threads; the gateway's own codec is
//! made for one thread and for proxying. Here hyper's does: nothing is measured in microseconds.

mod answer;
mod body;
mod connection;
mod server;

pub use self::{
    answer::{Answer, Refusal},
    body::Lines,
    connection::Connection,
    server::Server,
};
