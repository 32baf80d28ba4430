use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use ipnet::IpNet;

use super::{TextError, text_type};

/// An address to listen on: `0.0.0.0:8080`, `[::]:8080` (both IPv6 and IPv4), `127.0.0.1:0` (a
/// free port), or `unix:/run/lintel.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bind {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl Bind {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Bind {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(TextError::new("the socket has no path")
                    .hint("write it like `unix:/run/lintel.sock`")),
                path => Ok(Self::Unix(path.into())),
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| bad_bind(text))
    }
}

fn bad_bind(text: &str) -> TextError {
    let error = TextError::new(format!("`{text}` is not an address to listen on"));
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return error.hint(format!(
            "write `0.0.0.0:{port}` for every IPv4 address, `\"[::]:{port}\"` for IPv6 as well, or \
             `127.0.0.1:{port}` for this machine only"
        ));
    }
    let bare_v6 = text
        .rsplit_once(':')
        .filter(|(host, port)| host.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok());
    if let Some((host, port)) = bare_v6 {
        return error.hint(format!(
            "put an IPv6 address in brackets: `\"[{host}]:{port}\"`"
        ));
    }
    if text.parse::<IpAddr>().is_ok() {
        let host = if text.contains(':') {
            format!("[{text}]")
        } else {
            text.to_owned()
        };
        return TextError::new(format!("`{text}` has no port"))
            .hint(format!("write `{host}:8080`"));
    }
    if text.contains("://") {
        return error.hint("an address has no scheme: write it like `0.0.0.0:8080`");
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return error
            .hint("write it like `0.0.0.0:8080`, `\"[::]:8080\"` or `unix:/run/lintel.sock`");
    };
    if port.parse::<u16>().is_err() {
        return TextError::new(format!("`{port}` is not a port"))
            .at(host.len() + 1)
            .hint("a port is a number from 0 to 65535");
    }
    match host {
        "localhost" => error.hint(format!("names are not looked up here: write `127.0.0.1:{port}`")),
        "*" => error.hint(format!("write `0.0.0.0:{port}`, or `\"[::]:{port}\"` for IPv6 as well")),
        _ => error.hint("names are not looked up here: write the IP address of an interface, or `0.0.0.0` for all"),
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

text_type!(Bind, "bind", pattern: r"^(unix:.+|.+:[0-9]{1,5})$"; "0.0.0.0:8080", "[::]:8080", "unix:/run/lintel.sock");

/// A range of IP addresses in CIDR form, `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(pub IpNet);

impl Cidr {
    /// Whether every address of its family is in it.
    pub fn is_everyone(&self) -> bool {
        self.0.prefix_len() == 0
    }
}

impl FromStr for Cidr {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.into()));
        }
        let network: IpNet = text.parse().map_err(|_| {
            TextError::new(format!("`{text}` is not a range of addresses"))
                .hint("write it like `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`")
        })?;
        if network.trunc() != network {
            return Err(
                TextError::new(format!("`{text}` has bits set beyond its prefix")).hint(format!(
                    "write `{}` for the range, or `{}` for the one address",
                    network.trunc(),
                    network.addr()
                )),
            );
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(Cidr, "cidr", pattern: r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"; "10.0.0.0/8", "192.0.2.1");

/// An IP address of a client: `203.0.113.7`, `2001:db8::7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpAddress(pub IpAddr);

impl Default for IpAddress {
    /// An address for documentation (RFC 5737 §3): outside everybody's trusted ranges.
    fn default() -> Self {
        Self(IpAddr::from([192, 0, 2, 1]))
    }
}

impl FromStr for IpAddress {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        text.parse().map(Self).map_err(|_| {
            TextError::new(format!("`{text}` is not an IP address"))
                .hint("write it like `203.0.113.7` or `\"2001:db8::7\"`")
        })
    }
}

impl fmt::Display for IpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(IpAddress, "ip-address", pattern: "^[0-9a-fA-F.:]+$"; "203.0.113.7", "2001:db8::7");
