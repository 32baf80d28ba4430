use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Loader, key, ocsp, pem};
use crate::error::{TlsError, TlsWarningKind};
use crate::server::CertificateSource;

/// A certificate with its key, checked, and the host names it is for.
pub(crate) struct Certified {
    pub(crate) key: Arc<CertifiedKey>,
    /// Lower case; a leading `*.` stands for one label.
    pub(crate) names: Vec<String>,
}

/// A certificate that runs out within this time deserves a warning: two thirds into the last month
/// of a 90-day certificate, when every renewal tool should have acted.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Loads a server certificate. What is wrong goes to the loader.
pub(crate) fn certified(
    loader: &mut Loader<'_>,
    source: &CertificateSource,
    provider: &CryptoProvider,
) -> Option<Certified> {
    let pair = pair(loader, &source.cert, &source.key, provider);
    // Read in any case: all mistakes are reported at once.
    let response = source
        .ocsp
        .as_deref()
        .and_then(|path| Some((path, loader.read(path)?)));
    let mut pair = pair?;
    let leaf = pair.cert.first()?.clone();
    let (_, x509) = X509Certificate::from_der(&leaf).ok()?;
    if let Some((path, response)) = response {
        pair.ocsp = ocsp::staple(loader, path, response, &x509);
    }
    let names = host_names(&x509);
    if names.is_empty() {
        loader.warn(
            TlsWarningKind::NoNames,
            &source.cert,
            "the certificate is for no host name (it has no DNS subjectAltName), and clients will \
             refuse it",
            "have it issued with the host names that it is for",
        );
    }
    Some(Certified {
        key: Arc::new(pair),
        names,
    })
}

/// Loads the certificate that we show to an upstream. What is wrong goes to the loader.
pub(crate) fn client_certified(
    loader: &mut Loader<'_>,
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Option<CertifiedKey> {
    pair(loader, cert, key, provider)
}

fn pair(
    loader: &mut Loader<'_>,
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Option<CertifiedKey> {
    let chain = loader.read(cert);
    let chain = chain.and_then(|bytes| loader.keep(pem::certificates(cert, bytes)));
    let secret = loader.read(key);
    let secret = secret.and_then(|bytes| loader.keep(pem::private_key(key, bytes)));
    loader.check_secrecy(key);
    let chain = chain.filter(|chain| check_chain(loader, cert, chain))?;
    let secret = secret?;
    let Ok(signing) = provider.key_provider.load_private_key(secret.clone_key()) else {
        loader.errors.push(key::unsupported(key, &secret));
        return None;
    };
    let pair = CertifiedKey::new(chain, signing);
    if let Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) =
        pair.keys_match()
    {
        loader.errors.push(mismatch(cert, key, &pair));
        return None;
    }
    Some(pair)
}

/// False if a certificate cannot be parsed. All else about a chain is a warning: an expired
/// certificate must not keep a gateway with a hundred good ones from starting.
fn check_chain(loader: &mut Loader<'_>, path: &Path, chain: &[CertificateDer<'_>]) -> bool {
    let mut parsed: Vec<X509Certificate<'_>> = Vec::new();
    for (index, der) in chain.iter().enumerate() {
        match X509Certificate::from_der(der) {
            Ok((_, x509)) => parsed.push(x509),
            Err(_) => {
                loader.errors.push(TlsError::of_file(
                    path,
                    format!("certificate {} in the file cannot be parsed", index + 1),
                    "write the file anew from what the CA issued",
                ));
                return false;
            }
        }
    }
    if let Some(leaf) = parsed.first() {
        check_validity(loader, path, leaf);
    }
    for (index, pair) in parsed.windows(2).enumerate() {
        if let [child, parent] = pair
            && child.issuer() != parent.subject()
        {
            loader.warn(
                TlsWarningKind::ChainOrder,
                path,
                format!(
                    "certificate {} is issued by `{}`, but certificate {} is `{}`",
                    index + 1,
                    child.issuer(),
                    index + 2,
                    parent.subject()
                ),
                "put the server's certificate first and each issuer right after what it issued",
            );
        }
    }
    true
}

fn check_validity(loader: &mut Loader<'_>, path: &Path, leaf: &X509Certificate<'_>) {
    let now = loader.now_asn1();
    let validity = leaf.validity();
    let left = validity
        .not_after
        .timestamp()
        .saturating_sub(now.timestamp());
    if now.timestamp() < validity.not_before.timestamp() {
        loader.warn(
            TlsWarningKind::NotYetValid,
            path,
            format!(
                "the certificate is not valid before {}",
                validity.not_before
            ),
            "check the clock of this machine",
        );
    } else if left < 0 {
        loader.warn(
            TlsWarningKind::Expired,
            path,
            format!("the certificate has expired on {}", validity.not_after),
            "renew it; clients refuse it",
        );
    } else if left.unsigned_abs() < EXPIRES_SOON.as_secs() {
        loader.warn(
            TlsWarningKind::ExpiresSoon,
            path,
            format!("the certificate expires on {}", validity.not_after),
            "renew it",
        );
    }
    let expires = Duration::from_secs(validity.not_after.timestamp().unsigned_abs());
    let soon = expires.saturating_sub(EXPIRES_SOON);
    for moment in [soon, expires] {
        loader.changes_at(SystemTime::UNIX_EPOCH + moment);
    }
}

fn mismatch(cert: &Path, key: &Path, pair: &CertifiedKey) -> TlsError {
    let spki = pair.key.public_key();
    let place = pair.cert.iter().position(|der| {
        X509Certificate::from_der(der)
            .ok()
            .zip(spki.as_ref())
            .is_some_and(|((_, x509), spki)| x509.public_key().raw == spki.as_ref())
    });
    let help = match place {
        Some(index) => format!(
            "it belongs to certificate {} in that file: put the server's certificate first",
            index + 1
        ),
        None => "use the key that the certificate was issued for; during a renewal, replace both \
                 files before the reload"
            .to_owned(),
    };
    TlsError::of_file(
        key,
        format!(
            "the private key does not belong to the certificate in {}",
            cert.display()
        ),
        help,
    )
}

/// The DNS names of a certificate. The common name does not count (RFC 9525 §2).
fn host_names(x509: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = x509.subject_alternative_name() else {
        return Vec::new();
    };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
