//! The `lintel` binary as a whole, over loopback, between scripted origins and real clients.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod accuracy;
mod admin;
mod authz;
mod beside;
mod clients;
mod commands;
mod compose;
mod concurrency;
mod directory;
mod drills;
mod edges;
mod endpoints;
mod exchange;
mod faults;
mod graphql;
mod groups;
mod grpc;
mod h2load;
mod http2;
mod identity;
mod introspection;
mod issuers;
mod judged;
mod lifecycle;
mod limits;
mod logins;
mod malformed;
mod neighbours;
mod opa;
mod overload;
mod proxying;
mod quotas;
mod readmes;
mod reload;
mod replicas;
mod revocations;
mod scale;
mod shedding;
mod signatures;
mod soap;
mod splits;
mod stores;
mod support;
mod tokens;
mod upstream;
mod volume;
mod waiting;
mod websocket;
