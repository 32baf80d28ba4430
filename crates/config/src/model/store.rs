use lintel_kernel::{Duration, Secret, config};

use super::UpstreamTls;
use crate::text::StoreAddress;

/// A store that replicas share.
#[config]
pub enum Store {
    /// Redis or Valkey.
    Redis(RedisStore),
}

/// Redis or Valkey: one server by its `url`, the master that Sentinels name, or a cluster.
#[config]
pub struct RedisStore {
    /// One server: `redis://user:password@host:port/database`, `rediss://…` with TLS, or `unix:///path`.
    /// It may hold a password, so it is never shown.
    #[serde(default)]
    #[schemars(example = &"redis://127.0.0.1:6379")]
    pub url: Option<Secret>,

    /// The master that Sentinels watch over. When it fails over, the gateway follows: meanwhile limits go
    /// by their `on_store_failure`.
    #[serde(default)]
    pub sentinel: Option<Sentinel>,

    /// Some nodes of a cluster, as `host:port`; the others are found. Limits of a request that are counted
    /// for the same callers stand in one slot and are asked by one script; others by one each, at once.
    #[serde(default)]
    #[schemars(example = ["10.0.0.7:6379", "10.0.0.8:6379"])]
    pub cluster: Vec<StoreAddress>,

    /// The user of an ACL that the gateway logs in as, in place of that of the `url`.
    #[serde(default)]
    pub username: Option<String>,

    /// The password, in place of that of the `url`.
    #[serde(default)]
    #[schemars(example = &"${env.REDIS_PASSWORD}")]
    pub password: Option<Secret>,

    /// TLS. It is spoken where this section stands or the `url` begins with `rediss`; with Sentinels and
    /// every node of a cluster too.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,

    /// What the keys of this gateway begin with there. Gateways that share a store and do not belong
    /// together each need one of their own.
    #[serde(default = "store_prefix")]
    #[schemars(length(min = 1, max = 64))]
    pub prefix: String,

    /// How long an answer may take, connecting and redirections of a cluster included. A request waits
    /// no longer; then it goes by the limit's `on_store_failure`.
    #[serde(default = "store_timeout")]
    pub timeout: Duration,
}

/// Sentinels, and what they call the master.
#[config]
pub struct Sentinel {
    /// The name of the master.
    #[schemars(example = &"mymaster")]
    pub master: String,

    /// The Sentinels, as `host:port`. The first that answers is believed.
    #[schemars(length(min = 1), example = ["10.0.0.7:26379", "10.0.0.8:26379"])]
    pub addresses: Vec<StoreAddress>,

    /// The user that the gateway is to the Sentinels, if they want one.
    #[serde(default)]
    pub username: Option<String>,

    /// The password for the Sentinels, if they want one.
    #[serde(default)]
    pub password: Option<Secret>,

    /// The number of the master's database.
    #[serde(default)]
    pub database: u16,
}

fn store_prefix() -> String {
    "lintel".to_owned()
}

const fn store_timeout() -> Duration {
    Duration::from_millis(20)
}
