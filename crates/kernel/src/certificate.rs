//! The certificate that a client has shown.

use std::{fmt, time::SystemTime};

/// The certificate that a client has shown in the TLS handshake, and that an authority of the
/// listener vouches for.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The serial number in lower-case hex, without separators.
    pub serial: String,
    /// The common name in the subject.
    pub common_name: Option<String>,
    /// Subject alternative names that are host names.
    pub dns_names: Vec<String>,
    /// Subject alternative names that are URIs (SPIFFE ids among them).
    pub uris: Vec<String>,
    /// Subject alternative names that are e-mail addresses.
    pub emails: Vec<String>,
    /// SHA-256 over the DER form.
    pub fingerprint: [u8; 32],
    /// Valid until.
    pub not_after: SystemTime,
    /// The certificate itself, DER.
    pub der: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    /// Without what it is made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("subject", &self.subject)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}
