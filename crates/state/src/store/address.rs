//! Where servers are.

use std::{fmt, path::PathBuf, str::FromStr};

use redis::{ConnectionAddr, IntoConnectionInfo as _};

use super::Login;

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host, by name or IP address, and a port.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAddress;

impl Address {
    /// Reads `redis://user:password@host:port/database`, `rediss://…` with TLS, or `unix:///path`: the
    /// address, who the gateway is there, and whether TLS is spoken.
    ///
    /// # Errors
    /// It is none, in words for the operator that show nothing of it.
    pub fn of_url(url: &str) -> Result<(Self, Login, bool), String> {
        // The library takes no URL for TLS where its own TLS is left out; ours is beneath it.
        let (plain, tls) = match url.split_once("://") {
            Some(("rediss", rest)) => (format!("redis://{rest}"), true),
            Some(("valkeys", rest)) => (format!("valkey://{rest}"), true),
            _ => (url.to_owned(), false),
        };
        // What the library says of it may hold a part of it.
        let info = plain.into_connection_info();
        let info = info.map_err(|_| "it is not the URL of a Redis server".to_owned())?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let bare = host
                    .strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'));
                Self::Tcp(bare.unwrap_or(host).to_owned(), *port)
            }
            ConnectionAddr::Unix(path) => Self::Unix(path.clone()),
            _ => return Err("it is not the URL of a Redis server".to_owned()),
        };
        let settings = info.redis_settings();
        let login = Login {
            username: settings.username().map(str::to_owned),
            password: settings.password().map(str::to_owned),
            database: u16::try_from(settings.db())
                .map_err(|_| "there is no database of such a number".to_owned())?,
        };
        Ok((address, login, tls))
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    /// `host:port`, `10.0.0.7:6379` or `[fd00::7]:6379`; `unix:/path`.
    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(NoAddress),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(NoAddress)?;
        let port = port.parse().ok().filter(|port| *port != 0);
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host = match bare {
            Some(bare) => bare,
            None if host.contains([':', '[', ']', '/', '@']) => return Err(NoAddress),
            None => host,
        };
        match port {
            Some(port) if !host.is_empty() => Ok(Self::Tcp(host.to_owned(), port)),
            _ => Err(NoAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for text in [
            "redis:6379",
            "10.0.0.7:1",
            "[fd00::7]:6379",
            "unix:/run/redis.sock",
        ] {
            let address: Result<Address, _> = text.parse();
            assert_eq!(
                address.map(|address| address.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in [
            "",
            "redis",
            "redis:",
            ":6379",
            "redis:0",
            "fd00::7:6379",
            "redis://a:1",
            "a@b:1",
            "unix:run",
        ] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress), "{text}");
        }
    }
}
