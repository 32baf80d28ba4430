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
//! step at a time. Heap of an idle connection on the server's side, the reactor's share included
//! (`tests/memory.rs`, which repeats exactly):
//!
//! | | here | tokio-rustls |
//! |---|---|---|
//! | TLS 1.3 | 2698 bytes | 6929 bytes |
//! | TLS 1.2 | 2586 bytes | 6625 bytes |
//!
//! CPU time of the server's thread, the kernel's share included (`examples/cost.rs`, release build,
//! TLS 1.3, AES-256-GCM, ECDSA P-256). One run, each figure the best of three, on two x86-64 cores
//! that were busy with other work (load 5 to 7). Four runs differed among themselves by 10 to 50 %
//! on the first three lines, so they show no more than that the two are of the same order:
//!
//! | | here | tokio-rustls |
//! |---|---|---|
//! | a request, 700 bytes in and 300 out | 6.10 µs | 6.07 µs |
//! | a GiB sent in writes of 64 KiB | 315 ms | 289 ms |
//! | a GiB received in reads of 64 KiB | 508 ms | 505 ms |
//! | a full handshake | 207.6 µs | 207.5 µs |
//! | a resumed handshake | 171.3 µs | 172.9 µs |
//!
//! The memory is the gain. Bulk sending may cost up to a tenth more: the unbuffered interface copies
//! each record once more on its way out. That is to be measured again on a quiet machine.
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

pub use client::{ClientCertificate, ClientSettings, Connector, Given, Roots};
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
