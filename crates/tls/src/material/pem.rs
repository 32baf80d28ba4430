use std::path::Path;

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::error::TlsError;

/// All certificates of a PEM file, in order; at least one.
pub(crate) fn certificates(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<CertificateDer<'static>> = sections(path, bytes)?;
    if found.is_empty() {
        return Err(no_certificate(path, bytes));
    }
    Ok(found)
}

/// The first private key of a PEM file.
pub(crate) fn private_key(path: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let labels = labels(bytes);
    let encrypted = labels.iter().any(|label| label == "ENCRYPTED PRIVATE KEY")
        || contains(bytes, b"Proc-Type: 4,ENCRYPTED");
    if encrypted {
        return Err(TlsError::of_file(
            path,
            "the private key is encrypted with a passphrase",
            format!(
                "decrypt it once and protect the file instead: openssl pkey -in {0} -out {0}.plain \
                 && chmod 600 {0}.plain",
                path.display()
            ),
        ));
    }
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => Err(no_key(path, bytes, &labels)),
        Err(error) => Err(broken(path, &error)),
    }
}

/// All revocation lists of a PEM file; at least one.
pub(crate) fn revocation_lists(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let found: Vec<CertificateRevocationListDer<'static>> = sections(path, bytes)?;
    if !found.is_empty() {
        return Ok(found);
    }
    Err(if is_der(bytes) {
        binary(path, "crl")
    } else {
        TlsError::of_file(
            path,
            format!(
                "the file holds no revocation list{}",
                instead(&labels(bytes))
            ),
            "a revocation list begins with -----BEGIN X509 CRL-----",
        )
    })
}

fn sections<T: PemObject>(path: &Path, bytes: &[u8]) -> Result<Vec<T>, TlsError> {
    T::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(path, &error))
}

fn no_certificate(path: &Path, bytes: &[u8]) -> TlsError {
    if is_der(bytes) {
        return binary(path, "x509");
    }
    let labels = labels(bytes);
    let help = if labels.iter().any(|label| label.ends_with("PRIVATE KEY")) {
        "this is a private key: name the file with the certificate"
    } else if labels.iter().any(|label| label == "CERTIFICATE REQUEST") {
        "this is a request: use the certificate that the CA issued for it"
    } else if labels.iter().any(|label| label == "TRUSTED CERTIFICATE") {
        "write it as a plain certificate: openssl x509 -in FILE -out FILE.pem"
    } else {
        "a certificate begins with -----BEGIN CERTIFICATE-----"
    };
    TlsError::of_file(
        path,
        format!("the file holds no certificate{}", instead(&labels)),
        help,
    )
}

fn no_key(path: &Path, bytes: &[u8], labels: &[String]) -> TlsError {
    if is_der(bytes) {
        return binary(path, "pkey");
    }
    let help = if labels.iter().any(|label| label == "CERTIFICATE") {
        "this is a certificate: name the file with its private key"
    } else if labels.iter().any(|label| label == "OPENSSH PRIVATE KEY") {
        "this is an SSH key: use the key that the certificate was issued for"
    } else {
        "a private key begins with -----BEGIN PRIVATE KEY-----"
    };
    TlsError::of_file(
        path,
        format!("the file holds no private key{}", instead(labels)),
        help,
    )
}

fn broken(path: &Path, error: &PemError) -> TlsError {
    let problem = match error {
        PemError::MissingSectionEnd { end_marker } => format!(
            "the PEM block {} has no end: the file is cut short",
            String::from_utf8_lossy(end_marker)
        ),
        PemError::IllegalSectionStart { .. } => "a PEM block has a malformed BEGIN line".to_owned(),
        PemError::Base64Decode(_) => "a PEM block is not valid base64".to_owned(),
        other => format!("the PEM text is broken: {other}"),
    };
    TlsError::of_file(path, problem, "write the file anew from its source")
}

fn binary(path: &Path, tool: &str) -> TlsError {
    TlsError::of_file(
        path,
        "the file is binary (DER or PKCS #12), not PEM",
        format!(
            "convert it: openssl {tool} -inform der -in {0} -out {0}.pem (for .p12 and .pfx files: \
             openssl pkcs12 -in {0} -nodes)",
            path.display()
        ),
    )
}

fn instead(labels: &[String]) -> String {
    match labels {
        [] => ", and no PEM block at all".to_owned(),
        labels => format!(", but: {}", labels.join(", ")),
    }
}

/// The labels of all PEM blocks in order, `CERTIFICATE` and the like (RFC 7468 §3).
fn labels(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(|line| {
            line.strip_prefix("-----BEGIN ")?
                .trim_end()
                .strip_suffix("-----")
        })
        .map(str::to_owned)
        .collect()
}

/// An ASN.1 SEQUENCE, as every certificate and key in DER begins; a short one to the end.
fn is_der(bytes: &[u8]) -> bool {
    match bytes {
        [0x30, 0x81..=0x84, ..] => true,
        [0x30, length, rest @ ..] => usize::from(*length) == rest.len(),
        _ => false,
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
