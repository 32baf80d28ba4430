//! TLS over loopback sockets, against rustls and OpenSSL as peers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub
)]

mod bad_files;
mod bad_peers;
mod client_auth;
mod proxy_protocol;
mod reload;
mod resumption;
mod selection;
mod socket;
mod staple;
mod stream;
mod support;
mod upstream;
