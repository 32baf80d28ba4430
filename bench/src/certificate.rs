//! The certificate that every proxy serves: self-signed, ECDSA P-256.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, PKCS_ECDSA_P256_SHA256};

/// Files of the certificate, the key, and both in one.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) both: PathBuf,
}

/// Makes a certificate for `bench.example`.
///
/// # Errors
/// The files cannot be written.
pub(crate) fn make(dir: &Path) -> Result<Files> {
    fs::create_dir_all(dir)?;
    let signing_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert =
        CertificateParams::new(vec!["bench.example".to_owned()])?.self_signed(&signing_key)?;
    let made = CertifiedKey { cert, signing_key };
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let files = Files {
        cert: dir.join("cert.pem"),
        key: dir.join("key.pem"),
        both: dir.join("both.pem"),
    };
    fs::write(&files.cert, &cert)?;
    fs::write(&files.key, &key)?;
    fs::write(&files.both, cert + &key)?;
    for secret in [&files.key, &files.both] {
        fs::set_permissions(secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(files)
}
