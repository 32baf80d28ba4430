//! TLS for listeners and upstreams, and the byte stream of the data path.
//!
//! The only user of rustls. A [`Socket`] is TCP or Unix; a [`Stream`] is a socket, bare or under
//! TLS. An [`Acceptor`] makes streams of accepted sockets, a [`Connector`] of connected ones; both
//! read their files through one loader that reports everything that is wrong at once, and both can
//! read them again under live traffic. [`proxy_protocol`] reads what a load balancer in front
//! says about the client.
//!
//! # Why not tokio-rustls
//!
//! rustls' buffered connection, which tokio-rustls drives, keeps a read buffer of 4 KiB for as long
//! as the connection lives, and nothing can make it give that back. This crate drives rustls'
//! unbuffered connection instead, with one set of working buffers for each thread, borrowed for one
//! step at a time. Measured on the server's side (`tests/memory.rs`, `examples/cost.rs`; x86-64, two
//! shared cores, best of three, TLS 1.3 with AES-256-GCM and ECDSA P-256; differences below 5 %
//! are noise):
//!
//! | | here | tokio-rustls |
//! |---|---|---|
//! | heap of an idle connection, reactor included (TLS 1.3) | 2.7 KB | 6.9 KB |
//! | the same for TLS 1.2 | 2.6 KB | 6.6 KB |
//! | CPU of a request, 700 bytes in and 300 out, kernel included | 6.1 µs | 6.1 µs |
//! | CPU of a GiB sent in writes of 64 KiB | 310 ms | 300 ms |
//! | CPU of a GiB received in reads of 64 KiB | 510 ms | 505 ms |
//! | CPU of a full handshake | 208 µs | 208 µs |
//! | CPU of a resumed handshake | 171 µs | 173 µs |
//!
//! The memory is the gain; the CPU is the same. What bulk sending loses is one copy, because the
//! unbuffered interface hands records out by copying them; what bulk receiving gains by reads of
//! 32 KiB rather than 4 KiB goes the same way.
//!
//! # What resumption does not carry over
//!
//! A client certificate is verified again, against the rules of the moment, when a session is
//! resumed: it may have expired or been revoked since. A change of the client CA or its revocation
//! list also ends all tickets. Early data (0-RTT) is never accepted, because it can be replayed
//! (RFC 8446 §8).

mod client;
mod connection;
mod error;
mod handshake_error;
mod hello;
mod info;
mod io;
mod material;
mod plaintext;
mod provider;
pub mod proxy_protocol;
mod scratch;
mod server;
mod session;
mod socket;
mod stream;

pub use client::{ClientCertificate, ClientSettings, Connector, Roots};
pub use connection::TlsConnection;
pub use error::{TlsError, TlsWarning, TlsWarningKind};
pub use handshake_error::{HandshakeError, HandshakeErrorKind};
pub use info::{Alpn, Fingerprint, PeerCertificate, TlsInfo, TlsVersion};
pub use server::{
    Acceptor, CertificateSource, CipherPolicy, ClientAuth, ClientCa, Resumption, ServerSettings,
    UnmatchedName,
};
pub use socket::Socket;
pub use stream::Stream;
