//! Listening sockets that another process made: the gateway before this one, or the service
//! manager.

use std::{
    env, fmt, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
};

use socket2::{SockAddr, SockRef, Type};

use crate::spec::Bind;

/// The variable that names the sockets handed over by another gateway: `key=fd,key=fd:kept`.
pub(crate) const SOCKETS: &str = "LINTEL_LISTEN_FDS";

/// Listening sockets taken over from another process, waiting for a listener that wants them.
#[derive(Default)]
pub struct Inherited {
    sockets: Vec<Waiting>,
}

struct Waiting {
    /// The key of a socket handed over, or the name that the service manager gave it.
    name: Name,
    socket: ListeningFd,
}

/// A listening socket of this process.
pub(crate) struct ListeningFd {
    pub(crate) fd: OwnedFd,
    /// The service manager holds it as well, and gives it to the next process.
    pub(crate) kept: bool,
}

enum Name {
    Key(String),
    Service(String),
}

/// A socket as it is named to another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) key: String,
    pub(crate) fd: RawFd,
    pub(crate) kept: bool,
}

/// Marks a descriptor whose socket the service manager keeps.
const KEPT: &str = ":kept";

/// Why the environment's word on inherited sockets can't be followed.
#[derive(Debug)]
pub enum InheritError {
    /// `LINTEL_LISTEN_FDS` is malformed.
    Malformed(String),
    /// A descriptor is no listening socket.
    NotListening(RawFd),
    /// The variables of the service manager are malformed.
    ServiceManager(io::Error),
}

impl Inherited {
    /// The sockets that the environment names: `LINTEL_LISTEN_FDS` of a gateway that hands over,
    /// or `LISTEN_FDS` of systemd.
    ///
    /// A socket of systemd goes to the listener that is bound to its address, or else to the
    /// listener with its name (`FileDescriptorName=`).
    ///
    /// # Errors
    ///
    /// What the environment says is malformed or untrue.
    ///
    /// # Safety
    ///
    /// Takes the descriptors into possession: call it once, before anything else could own them.
    pub unsafe fn from_env() -> Result<Self, InheritError> {
        let mut sockets = Vec::new();
        if let Ok(text) = env::var(SOCKETS) {
            let named = parse(&text).ok_or_else(|| InheritError::Malformed(text.clone()))?;
            for Passed { key, fd, kept } in named {
                // SAFETY: passed on to the caller.
                let socket = ListeningFd {
                    fd: unsafe { own(fd) }?,
                    kept,
                };
                sockets.push(Waiting {
                    name: Name::Key(key),
                    socket,
                });
            }
            return Ok(Self { sockets });
        }
        for (fd, name) in
            sd_notify::listen_fds_with_names().map_err(InheritError::ServiceManager)?
        {
            // SAFETY: passed on to the caller.
            let socket = ListeningFd {
                fd: unsafe { own(fd) }?,
                kept: true,
            };
            sockets.push(Waiting {
                name: Name::Service(name),
                socket,
            });
        }
        Ok(Self { sockets })
    }

    /// Whether nothing was taken over, or all of it has found its listener.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The sockets that no listener has asked for, for the log.
    pub fn names(&self) -> Vec<String> {
        let name = |waiting: &Waiting| match &waiting.name {
            Name::Key(name) | Name::Service(name) => name.clone(),
        };
        self.sockets.iter().map(name).collect()
    }

    /// Takes the sockets for a place.
    pub(crate) fn take(&mut self, key: &str, bind: &Bind, listener: &str) -> Vec<ListeningFd> {
        let fits = |waiting: &Waiting| match &waiting.name {
            Name::Key(known) => known == key,
            Name::Service(_) => is_bound_to(&waiting.socket.fd, bind),
        };
        let named =
            |waiting: &Waiting| matches!(&waiting.name, Name::Service(name) if name == listener);
        let taken = self.extract(fits);
        if taken.is_empty() {
            self.extract(|waiting| named(waiting) && is_kind_of(&waiting.socket.fd, bind))
        } else {
            taken
        }
    }

    fn extract(&mut self, fits: impl Fn(&Waiting) -> bool) -> Vec<ListeningFd> {
        let taken = self.sockets.extract_if(.., |waiting| fits(waiting));
        taken.map(|waiting| waiting.socket).collect()
    }
}

/// Takes a listening socket into possession and keeps it from this process's children.
///
/// # Safety
///
/// Nothing else may own the descriptor.
unsafe fn own(fd: RawFd) -> Result<OwnedFd, InheritError> {
    // SAFETY: `fcntl` on a number that is no descriptor fails without effect.
    if fd < 0 || unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(InheritError::NotListening(fd));
    }
    // SAFETY: it is open, as `fcntl` has shown, and nobody else's by the caller's word.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let facts = SockRef::from(&socket);
    if matches!(
        (facts.is_listener(), facts.r#type()),
        (Ok(true), Ok(Type::STREAM))
    ) {
        Ok(socket)
    } else {
        Err(InheritError::NotListening(fd))
    }
}

fn is_bound_to(socket: &OwnedFd, bind: &Bind) -> bool {
    let Ok(address) = SockRef::from(socket).local_addr() else {
        return false;
    };
    match bind {
        Bind::Tcp(wanted) => address.as_socket() == Some(*wanted),
        Bind::Unix { path, .. } => unix_path(&address) == Some(path),
    }
}

fn is_kind_of(socket: &OwnedFd, bind: &Bind) -> bool {
    let Ok(address) = SockRef::from(socket).local_addr() else {
        return false;
    };
    address.is_unix() == matches!(bind, Bind::Unix { .. })
}

fn unix_path(address: &SockAddr) -> Option<&Path> {
    address.as_pathname()
}

/// Writes the variable's value.
pub(crate) fn format(sockets: &[Passed]) -> String {
    let escape = |key: &str| {
        key.replace('%', "%25")
            .replace(',', "%2C")
            .replace('=', "%3D")
    };
    let part = |Passed { key, fd, kept }: &Passed| {
        format!("{}={fd}{}", escape(key), if *kept { KEPT } else { "" })
    };
    sockets.iter().map(part).collect::<Vec<_>>().join(",")
}

fn parse(text: &str) -> Option<Vec<Passed>> {
    let unescape = |key: &str| {
        key.replace("%3D", "=")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    let part = |part: &str| {
        let (key, fd) = part.split_once('=')?;
        let kept = fd.ends_with(KEPT);
        let fd = fd.trim_end_matches(KEPT).parse().ok()?;
        Some(Passed {
            key: unescape(key),
            fd,
            kept,
        })
    };
    text.split(',')
        .filter(|text| !text.is_empty())
        .map(part)
        .collect()
}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fds = self
            .sockets
            .iter()
            .map(|waiting| waiting.socket.fd.as_raw_fd());
        f.debug_map().entries(self.names().iter().zip(fds)).finish()
    }
}

impl fmt::Display for InheritError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => {
                write!(f, "{SOCKETS} is not a list of `key=descriptor`: `{text}`")
            }
            Self::NotListening(fd) => write!(
                f,
                "descriptor {fd} was to be inherited and is no listening stream socket"
            ),
            Self::ServiceManager(error) => {
                write!(f, "the service manager's LISTEN_FDS can't be used: {error}")
            }
        }
    }
}

impl std::error::Error for InheritError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{net::TcpListener, os::fd::IntoRawFd};

    use super::*;

    #[test]
    fn any_key_survives_the_environment() {
        let passed = |key: &str, fd, kept| Passed {
            key: key.to_owned(),
            fd,
            kept,
        };
        let sockets = vec![
            passed("tcp:[::]:8080", 7, false),
            passed("unix:/run/a,b=c%2Cd%25", 8, true),
        ];
        assert_eq!(parse(&format(&sockets)), Some(sockets));
        assert_eq!(parse("tcp:1"), None);
        assert_eq!(parse("tcp:1=x"), None);
    }

    #[test]
    fn only_listening_sockets_are_taken() {
        let file = std::fs::File::open("/dev/null").unwrap().into_raw_fd();
        // SAFETY: the descriptor was given up by its owner.
        assert!(matches!(
            unsafe { own(file) },
            Err(InheritError::NotListening(_))
        ));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap().into_raw_fd();
        // SAFETY: likewise.
        assert!(unsafe { own(listener) }.is_ok());
    }

    #[test]
    fn sockets_of_the_service_manager_go_by_address_then_by_name() {
        let (a, b) = (
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        );
        let address = b.local_addr().unwrap();
        let waiting = |name: &str, socket: TcpListener| Waiting {
            name: Name::Service(name.into()),
            socket: ListeningFd {
                fd: socket.into(),
                kept: true,
            },
        };
        let mut inherited = Inherited {
            sockets: vec![waiting("public", a), waiting("other", b)],
        };
        assert_eq!(
            inherited.take("tcp:x", &Bind::Tcp(address), "public").len(),
            1
        );
        assert_eq!(inherited.names(), ["public"]);
        let elsewhere = Bind::Tcp("127.0.0.1:1".parse().unwrap());
        assert_eq!(inherited.take("tcp:y", &elsewhere, "public").len(), 1);
        assert!(inherited.is_empty());
    }
}
