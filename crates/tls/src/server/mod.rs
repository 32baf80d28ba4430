mod acceptor;
mod build;
mod client_auth;
mod settings;
mod sni;
mod tickets;

pub use acceptor::Acceptor;
pub use settings::{
    CertificateSource, CipherPolicy, ClientAuth, ClientCa, Resumption, ServerSettings,
    UnmatchedName,
};

pub(crate) use acceptor::local;
pub(crate) use client_auth::root_store;
