//! Why a server can't start or take over a configuration.

use std::{fmt, io, sync::Arc};

use crate::spec::Bind;

/// Why a listener can't listen.
#[derive(Debug)]
pub struct BindError {
    /// The listener.
    pub listener: Arc<str>,
    /// Where it should listen.
    pub bind: Bind,
    /// What the system said.
    pub source: io::Error,
    /// What to do about it, where that is known.
    pub hint: Option<&'static str>,
}

impl BindError {
    pub(crate) fn new(listener: &Arc<str>, bind: &Bind, source: io::Error) -> Self {
        let hint = hint(bind, &source);
        Self {
            listener: Arc::clone(listener),
            bind: bind.clone(),
            source,
            hint,
        }
    }
}

fn hint(bind: &Bind, error: &io::Error) -> Option<&'static str> {
    match (bind, error.raw_os_error()?) {
        (Bind::Tcp(_), libc::EADDRINUSE) => {
            Some("another process listens there; `ss -ltnp` shows which")
        }
        (Bind::Unix { .. }, libc::EADDRINUSE) => Some("another process listens there"),
        (Bind::Tcp(address), libc::EACCES) if address.port() < 1024 => Some(
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE, or the socket from the service manager",
        ),
        (Bind::Unix { .. }, libc::EACCES | libc::EPERM) => {
            Some("the folder of the socket must be writable for this user")
        }
        (Bind::Unix { .. }, libc::ENOENT) => Some("the folder of the socket does not exist"),
        (Bind::Unix { .. }, libc::EEXIST) => Some("a file that is no socket is in its place"),
        (Bind::Tcp(_), libc::EADDRNOTAVAIL) => {
            Some("no network interface of this machine has that address")
        }
        (Bind::Tcp(address), libc::EAFNOSUPPORT) if address.is_ipv6() => {
            Some("IPv6 is switched off on this machine; bind to an IPv4 address such as 0.0.0.0")
        }
        (_, libc::EMFILE | libc::ENFILE) => {
            Some("raise the limit of open files (`ulimit -n`, LimitNOFILE=)")
        }
        _ => None,
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            listener,
            bind,
            source,
            hint,
        } = self;
        write!(f, "listener `{listener}` can't listen on {bind}: {source}")?;
        hint.map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Why a server can't start. Nothing of it is left behind.
#[derive(Debug)]
pub enum StartError {
    /// Some listeners can't listen.
    Bind(Vec<BindError>),
    /// Two listeners are to listen in one place.
    Conflict(Conflict),
    /// A worker's thread or its runtime could not be set up.
    Worker(io::Error),
}

/// Why a configuration can't be taken over. Nothing has changed.
#[derive(Debug)]
pub enum PublishError {
    /// Some listeners can't listen.
    Bind(Vec<BindError>),
    /// Two listeners are to listen in one place.
    Conflict(Conflict),
    /// The server is draining.
    Draining,
}

/// Two listeners that are to listen in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The place.
    pub bind: Bind,
    /// The listener named first.
    pub first: Arc<str>,
    /// The listener named second; may be the same one.
    pub second: Arc<str>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bind,
            first,
            second,
        } = self;
        write!(
            f,
            "listeners `{first}` and `{second}` can't both listen on {bind}"
        )
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(errors) => list(f, errors),
            Self::Conflict(conflict) => fmt::Display::fmt(conflict, f),
            Self::Worker(error) => write!(f, "a worker can't start: {error}"),
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(errors) => list(f, errors),
            Self::Conflict(conflict) => fmt::Display::fmt(conflict, f),
            Self::Draining => f.write_str("the gateway is stopping and takes no new configuration"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, errors: &[BindError]) -> fmt::Result {
    for (index, error) in errors.iter().enumerate() {
        if index > 0 {
            f.write_str("\n")?;
        }
        fmt::Display::fmt(error, f)?;
    }
    Ok(())
}

impl std::error::Error for StartError {}
impl std::error::Error for PublishError {}
