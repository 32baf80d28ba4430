use std::fmt;
use std::path::{Path, PathBuf};

/// What is wrong with a setting or a file, and what to do about it. Refused at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The file at fault, if it is one.
    pub file: Option<PathBuf>,
    /// What is wrong, to go after "FILE: ".
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

/// What works and probably should not stay so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsWarning {
    /// The kind of warning.
    pub kind: TlsWarningKind,
    /// The file it is about, if it is one.
    pub file: Option<PathBuf>,
    /// What is wrong, to go after "FILE: ".
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

/// The kinds of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsWarningKind {
    /// A private or ticket key that every user of the machine may read.
    KeyReadableByAll,
    /// A certificate whose time is over.
    Expired,
    /// A certificate whose time is over soon.
    ExpiresSoon,
    /// A certificate whose time has not begun.
    NotYetValid,
    /// A server certificate without a host name: it is only ever shown as the default.
    NoNames,
    /// Two certificates of the same key type for one name: only the first is shown.
    DuplicateName,
    /// Certificates of a chain that are not in order.
    ChainOrder,
    /// An OCSP response that is not stapled, or one that says "revoked".
    Staple,
    /// A revocation list whose time is over.
    StaleRevocationList,
    /// The verification of the server's certificate is off.
    NotVerified,
}

impl TlsError {
    pub(crate) fn of_file(
        file: &Path,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            file: Some(file.to_owned()),
            problem: problem.into(),
            help: help.into(),
        }
    }

    pub(crate) fn of_settings(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            file: None,
            problem: problem.into(),
            help: help.into(),
        }
    }
}

impl TlsWarning {
    pub(crate) fn of_file(
        kind: TlsWarningKind,
        file: &Path,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            file: Some(file.to_owned()),
            problem: problem.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.file.as_deref(), &self.problem, &self.help)
    }
}

impl std::error::Error for TlsError {}

impl fmt::Display for TlsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.file.as_deref(), &self.problem, &self.help)
    }
}

fn show(f: &mut fmt::Formatter<'_>, file: Option<&Path>, problem: &str, help: &str) -> fmt::Result {
    match file {
        Some(file) => write!(f, "{}: {problem}; {help}", file.display()),
        None => write!(f, "{problem}; {help}"),
    }
}
