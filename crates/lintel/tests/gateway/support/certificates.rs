use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::peer::text;

/// A certificate authority, and certificates that it has issued, as files in a folder.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        // No two have the same name.
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    /// The file of the authority's own certificate.
    pub(crate) fn ca(&self) -> String {
        self.file("ca.pem")
    }

    /// Issues a certificate for a name: the files of certificate and key.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = [format!("{name}.pem"), format!("{name}.key")];
        fs::write(self.path(&files[0]), certificate.pem()).unwrap();
        fs::write(self.path(&files[1]), key.serialize_pem()).unwrap();
        (self.file(&files[0]), self.file(&files[1]))
    }

    /// The `tls` setting of a listener that has a certificate for `localhost`.
    pub(crate) fn listener(&self) -> String {
        let (cert, key) = self.issue("localhost");
        format!("tls: {{ certificates: [{{ cert: {cert}, key: {key} }}] }}")
    }

    fn file(&self, name: &str) -> String {
        text(self.path(name))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
