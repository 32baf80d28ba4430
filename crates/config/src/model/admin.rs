use lintel_kernel::{Secret, config};

use super::ListenerTls;
use crate::text::Bind;

/// The admin API. It can show and change everything: keep it away from clients.
#[config]
pub struct Admin {
    /// The address.
    #[serde(default = "loopback")]
    pub bind: Bind,

    /// What callers must send as `Authorization: Bearer …`. Health and readiness are open to all.
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

/// A store that replicas share.
#[config]
pub enum Store {
    /// Redis or Valkey.
    Redis(RedisStore),
}

/// Redis or Valkey.
#[config]
pub struct RedisStore {
    /// Its URL. It may hold a password, so it is never shown.
    #[schemars(example = &"redis://127.0.0.1:6379")]
    pub url: Secret,
}
