use lintel_kernel::{Duration, config};
use serde::Serialize;

use crate::text::FilePath;

/// TLS towards clients.
#[config]
pub struct ListenerTls {
    /// Certificates with their keys. The client's server name (SNI) picks the one that is made out
    /// to it: an exact name before a wildcard, the first in the list where none fits. RSA and ECDSA
    /// certificates for one name may stand side by side. Files are read again when they change.
    #[schemars(length(min = 1))]
    pub certificates: Vec<Certificate>,

    /// The oldest version of TLS that is accepted.
    #[serde(default = "tls12")]
    pub min_version: TlsVersion,

    /// Certificates that clients identify themselves with. Without it none are asked for.
    #[serde(default)]
    pub client_auth: Option<ClientAuth>,

    /// Whether sessions can be resumed with tickets (RFC 8446 §4.6.1), which saves the costly part
    /// of a handshake.
    #[serde(default = "yes")]
    pub session_tickets: bool,

    /// Whether a client that asks for a name no certificate has is refused (`unrecognized_name`)
    /// instead of getting the first certificate.
    #[serde(default)]
    pub strict_sni: bool,

    /// How long a handshake may take.
    #[serde(default = "handshake_timeout")]
    pub handshake_timeout: Duration,
}

const fn tls12() -> TlsVersion {
    TlsVersion::V1_2
}

const fn yes() -> bool {
    true
}

const fn handshake_timeout() -> Duration {
    Duration::from_secs(10)
}

/// A certificate with its key.
#[config]
pub struct Certificate {
    /// The certificate and its intermediates, PEM.
    #[schemars(example = &"certs/api.pem")]
    pub cert: FilePath,
    /// The private key, PEM, not encrypted. Only the gateway's user should be able to read it.
    #[schemars(example = &"certs/api.key")]
    pub key: FilePath,
    /// An OCSP response to staple, DER.
    #[serde(default)]
    pub ocsp: Option<FilePath>,
}

/// A version of TLS.
#[config]
#[derive(Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

/// Certificates of clients.
#[config]
pub struct ClientAuth {
    /// The authorities whose certificates are accepted, PEM.
    #[schemars(example = &"certs/clients.pem")]
    pub ca: FilePath,
    /// Whether a client must have one.
    #[serde(default = "required")]
    pub mode: ClientAuthMode,
    /// Certificates that were revoked, PEM.
    #[serde(default)]
    pub crl: Option<FilePath>,
}

const fn required() -> ClientAuthMode {
    ClientAuthMode::Required
}

/// Whether a client must have a certificate.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum ClientAuthMode {
    /// One that is presented must be valid; none is fine too.
    Optional,
    /// Without a valid one the handshake fails.
    Required,
}

/// TLS towards an upstream.
#[config]
#[derive(Default)]
pub struct UpstreamTls {
    /// The authorities that its certificate must come from, PEM. Default: those of the system.
    #[serde(default)]
    pub ca: Option<FilePath>,

    /// The name its certificate must have, also sent as server name (SNI). Default: the host of the
    /// endpoint's URL.
    #[serde(default)]
    #[schemars(example = &"orders.internal")]
    pub server_name: Option<String>,

    /// What the gateway identifies itself with.
    #[serde(default)]
    pub client_certificate: Option<Certificate>,

    /// Whether any certificate is accepted. Anybody between the gateway and the upstream can then
    /// read and change everything.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}
