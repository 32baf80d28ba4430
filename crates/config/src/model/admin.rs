use lintel_kernel::{Secret, config};

use super::ListenerTls;
use crate::text::Bind;

/// The admin API. It can show and change everything: keep it away from clients. Without a `token` it changes
/// nothing for web pages, and where only the machine itself reaches it, it is asked by an address or as
/// `localhost`.
#[config]
pub struct Admin {
    /// The address.
    #[serde(default = "loopback")]
    pub bind: Bind,

    /// What callers must send as `Authorization: Bearer …`. Health, readiness and the
    /// public keys of `identity_token` are open to all.
    #[serde(default)]
    #[schemars(example = &"${env.LINTEL_ADMIN_TOKEN}")]
    pub token: Option<Secret>,

    /// TLS. Without it the admin API is plaintext.
    #[serde(default)]
    pub tls: Option<ListenerTls>,
}

const fn loopback() -> Bind {
    Bind::Tcp(std::net::SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        9901,
    ))
}
