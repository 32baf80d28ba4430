use lintel_kernel::{Duration, Secret, config};

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
    /// Its URL: `redis://user:password@host:port/database`, or `unix:///path`. It may hold a password,
    /// so it is never shown. One server; TLS, Sentinel and Cluster are not offered yet.
    #[schemars(example = &"redis://127.0.0.1:6379")]
    pub url: Secret,

    /// How long an answer may take, connecting included. A request waits no longer; then it goes by
    /// the limit's `on_store_failure`.
    #[serde(default = "store_timeout")]
    pub timeout: Duration,
}

const fn store_timeout() -> Duration {
    Duration::from_millis(20)
}
