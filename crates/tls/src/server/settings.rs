use std::path::PathBuf;
use std::time::Duration;

use crate::info::{Alpn, TlsVersion};

/// How a listener does TLS.
///
/// Equal settings read the same files: keep the `Acceptor` over a change of the configuration that
/// leaves them equal, so that clients can go on resuming their sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Certificates with their keys. The host names come from the certificates themselves.
    pub certificates: Vec<CertificateSource>,
    /// Which certificate (an index into `certificates`) a client gets that asks for an unknown
    /// name or for none. 0, the first, by default.
    pub default_certificate: usize,
    /// What to do for a name that no certificate covers.
    pub unmatched_name: UnmatchedName,
    /// The oldest TLS version accepted.
    pub min_version: TlsVersion,
    /// The newest TLS version accepted.
    pub max_version: TlsVersion,
    /// The cipher suites accepted.
    pub ciphers: CipherPolicy,
    /// Application protocols, the preferred one first. Empty: ALPN is not answered.
    pub alpn: Vec<Alpn>,
    /// Client certificates.
    pub client_auth: ClientAuth,
    /// Session resumption.
    pub resumption: Resumption,
    /// How long a handshake may take, from the first byte to the last.
    pub handshake_timeout: Duration,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSource {
    /// PEM: the certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM: the private key (PKCS #8, PKCS #1 or SEC 1), not encrypted.
    pub key: PathBuf,
    /// DER: an OCSP response to staple (RFC 6066 §8). Read again with the certificate.
    pub ocsp: Option<PathBuf>,
}

/// What to do for a name that no certificate covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnmatchedName {
    /// Show the default certificate.
    #[default]
    ShowDefault,
    /// End the handshake: `unrecognized_name`, or `missing_extension` if the client named none.
    Refuse,
}

/// A named set of cipher suites, after Mozilla's server side TLS recommendations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CipherPolicy {
    /// TLS 1.3 only.
    Modern,
    /// TLS 1.3, and TLS 1.2 with ECDHE and AEAD suites.
    #[default]
    Intermediate,
}

/// Whether clients must show a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients are not asked.
    #[default]
    None,
    /// Clients are asked and may show none. One that is shown must be good.
    Optional(ClientCa),
    /// Clients must show a good one.
    Required(ClientCa),
}

/// Which client certificates are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCa {
    /// PEM: the CAs.
    pub ca: PathBuf,
    /// PEM: revocation lists, one for each CA that issues client certificates. With a list given,
    /// a client certificate whose issuer has none is refused. A list past its time still counts,
    /// with a warning.
    pub crl: Option<PathBuf>,
}

/// How clients resume a session without a full handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// Never.
    Off,
    /// By tickets that all workers can open (RFC 8446 §4.6.1, RFC 5077), and by session ids for
    /// TLS 1.2 clients without tickets. With no `keys`, keys are made at random, kept in memory
    /// and replaced every 6 hours; a ticket lives for 6 to 12 hours.
    ///
    /// Replicas behind one address share `keys`: files of 80 random bytes each. The first key
    /// makes tickets, all of them open tickets. To rotate, put a new file first and reload.
    Tickets {
        /// Ticket key files.
        keys: Vec<PathBuf>,
    },
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            default_certificate: 0,
            unmatched_name: UnmatchedName::default(),
            min_version: TlsVersion::V1_2,
            max_version: TlsVersion::V1_3,
            ciphers: CipherPolicy::default(),
            alpn: vec![Alpn::H2, Alpn::Http1],
            client_auth: ClientAuth::default(),
            resumption: Resumption::default(),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Resumption {
    fn default() -> Self {
        Self::Tickets { keys: Vec::new() }
    }
}
