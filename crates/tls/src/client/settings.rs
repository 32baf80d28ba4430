use std::fmt;
use std::path::{Path, PathBuf};

use crate::info::{Alpn, TlsVersion};

/// How connections to a service do TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Which CAs may vouch for the server.
    pub roots: Roots,
    /// The name to ask for and to verify, instead of the host that the connection goes to.
    pub server_name: Option<String>,
    /// The certificate to show if the server asks for one.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether the server's certificate is verified. False is for experiments: the connection is
    /// then open to anybody on the way (`insecure_skip_verify`).
    pub verify: bool,
    /// Contents that are at hand without reading a disk, for the paths above that they are for.
    pub given: Vec<Given>,
    /// Application protocols to offer, the preferred one first. Empty: no ALPN.
    pub alpn: Vec<Alpn>,
    /// The oldest TLS version accepted.
    pub min_version: TlsVersion,
}

/// Which CAs may vouch for a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those that this machine trusts. Read once in the life of the process.
    #[default]
    System,
    /// Those of a PEM file, and no others.
    File(PathBuf),
    /// Those of a PEM file and those that this machine trusts.
    SystemAndFile(PathBuf),
}

/// Where our certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM: the certificate, then its intermediates.
    pub cert: PathBuf,
    /// PEM: the private key, not encrypted.
    pub key: PathBuf,
}

/// PEM text that takes the place of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// Stands for it in the settings and in messages, and must be no file's.
    pub path: PathBuf,
    /// The text.
    pub pem: Vec<u8>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a private key.
        write!(f, "Given({})", self.path.display())
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            roots: Roots::default(),
            server_name: None,
            client_certificate: None,
            verify: true,
            given: Vec::new(),
            alpn: Vec::new(),
            min_version: TlsVersion::V1_2,
        }
    }
}

impl ClientSettings {
    /// Every file that is read for the settings.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let given = |path: &Path| self.given.iter().any(|given| given.path == path);
        self.named().filter(move |path| !given(path))
    }

    fn named(&self) -> impl Iterator<Item = &Path> {
        let roots = match &self.roots {
            Roots::System => None,
            Roots::File(path) | Roots::SystemAndFile(path) => Some(path.as_path()),
        };
        let pair = self.client_certificate.iter();
        let pair = pair.flat_map(|pair| [pair.cert.as_path(), pair.key.as_path()]);
        roots.into_iter().chain(pair)
    }
}
