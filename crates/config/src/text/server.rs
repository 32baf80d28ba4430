use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::{TextError, text_type};

/// The address of a name server: `10.0.0.2`, `127.0.0.1:8600`, `[fd00::2]:53`. The port is 53 where
/// none is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress(pub SocketAddr);

/// The port of name servers (RFC 1035 §4.2).
const DNS: u16 = 53;

impl FromStr for ServerAddress {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let address = match (text.parse::<SocketAddr>(), text.parse::<IpAddr>()) {
            (Ok(address), _) => address,
            (_, Ok(ip)) => SocketAddr::new(ip, DNS),
            _ => {
                return Err(TextError::new(format!(
                    "`{text}` is not the address of a name server"
                ))
                .hint(
                    "write an IP address, with a port where it is not 53, such as `127.0.0.1:8600`",
                ));
            }
        };
        if address.port() == 0 {
            return Err(TextError::new("port 0 can't be asked").hint("name servers have port 53"));
        }
        Ok(Self(address))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(ServerAddress, "name-server"; "10.0.0.2", "127.0.0.1:8600");
