//! TLS for listeners and upstreams, and the byte stream of the data path.

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
