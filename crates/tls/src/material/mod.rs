//! Certificates, keys and their companions, read from files.

mod certificate;
mod files;
mod key;
mod ocsp;
mod pem;

pub(crate) use certificate::{Certified, certified, client_certified};
pub(crate) use files::Files;

use std::path::Path;
use std::time::SystemTime;

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer};
use x509_parser::time::ASN1Time;

use crate::error::{TlsError, TlsWarning, TlsWarningKind};

/// Turns file contents into key material, and collects all that is wrong on the way rather than
/// the first mistake only.
pub(crate) struct Loader<'f> {
    files: &'f Files,
    now: SystemTime,
    pub(crate) errors: Vec<TlsError>,
    pub(crate) warnings: Vec<TlsWarning>,
    /// When the outcome would be another one although no file has changed.
    pub(crate) stale_at: Option<SystemTime>,
}

impl<'f> Loader<'f> {
    pub(crate) fn new(files: &'f Files, now: SystemTime) -> Self {
        Self {
            files,
            now,
            errors: Vec::new(),
            warnings: Vec::new(),
            stale_at: None,
        }
    }

    /// The CA certificates of a PEM file.
    pub(crate) fn authorities(&mut self, path: &Path) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.read(path)?;
        self.keep(pem::certificates(path, bytes))
    }

    /// The revocation lists of a PEM file.
    pub(crate) fn revocation_lists(
        &mut self,
        path: &Path,
    ) -> Option<Vec<CertificateRevocationListDer<'static>>> {
        let bytes = self.read(path)?;
        let lists = self.keep(pem::revocation_lists(path, bytes))?;
        let known = self.errors.len();
        for list in &lists {
            self.check_revocation_list(path, list);
        }
        (self.errors.len() == known).then_some(lists)
    }

    /// A file's bytes; an unreadable one is an error with its reason.
    pub(crate) fn read(&mut self, path: &Path) -> Option<&'f [u8]> {
        let files = self.files;
        self.keep(files.read(path))
    }

    /// Takes the value, or the error out of the way.
    pub(crate) fn keep<T>(&mut self, result: Result<T, TlsError>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    /// A secret that every user of the machine may read deserves a warning.
    pub(crate) fn check_secrecy(&mut self, path: &Path) {
        /// Read permission for "others".
        const OTHERS_READ: u32 = 0o004;
        if self.files.mode(path) & OTHERS_READ != 0 {
            self.warnings.push(TlsWarning::of_file(
                TlsWarningKind::KeyReadableByAll,
                path,
                "the secret key can be read by every user of this machine",
                format!("run: chmod 600 {}", path.display()),
            ));
        }
    }

    pub(crate) fn warn(
        &mut self,
        kind: TlsWarningKind,
        path: &Path,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        let warning = TlsWarning::of_file(kind, path, problem, help);
        self.warnings.push(warning);
    }

    /// Notes that the outcome changes at `time`, if that lies ahead.
    pub(crate) fn changes_at(&mut self, time: SystemTime) {
        if time > self.now {
            self.stale_at = Some(self.stale_at.map_or(time, |known| known.min(time)));
        }
    }

    fn check_revocation_list(&mut self, path: &Path, list: &CertificateRevocationListDer<'_>) {
        let Ok((_, parsed)) = CertificateRevocationList::from_der(list) else {
            self.errors.push(TlsError::of_file(
                path,
                "a revocation list cannot be parsed",
                "export the list again from the CA",
            ));
            return;
        };
        if let Some(next) = parsed.next_update()
            && next.timestamp() < self.now_asn1().timestamp()
        {
            self.warn(
                TlsWarningKind::StaleRevocationList,
                path,
                format!(
                    "the revocation list of {} should have been replaced by {next}; it still counts",
                    parsed.issuer()
                ),
                "fetch the current list from the CA",
            );
        }
    }

    fn now_asn1(&self) -> ASN1Time {
        let seconds = self
            .now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        i64::try_from(seconds)
            .ok()
            .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
            .unwrap_or_else(ASN1Time::now)
    }
}
