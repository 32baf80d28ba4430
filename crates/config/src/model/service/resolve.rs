use lintel_kernel::{Duration, config};
use serde::Serialize;

use crate::text::ServerAddress;

/// How the names of endpoints are looked up.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Resolve {
    /// The shortest time an answer is used for, whatever its own time to live says.
    pub min_ttl: Duration,
    /// The longest time an answer is used for.
    pub max_ttl: Duration,
    /// Which addresses are used.
    pub addresses: AddressFamily,
    /// Name servers that are asked, instead of those of the system; its hosts file is not looked at
    /// then.
    #[schemars(example = ["127.0.0.1:8600"])]
    pub servers: Vec<ServerAddress>,
}

impl Default for Resolve {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(60),
            addresses: AddressFamily::Auto,
            servers: Vec::new(),
        }
    }
}

/// Which addresses of a name are used.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum AddressFamily {
    /// The IPv4 addresses, or the IPv6 ones of a name that has no IPv4 address.
    Auto,
    /// Both IPv4 and IPv6 addresses, each an endpoint of its own.
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}
