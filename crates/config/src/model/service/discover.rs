use lintel_kernel::{Duration, config};
use serde::Serialize;

use crate::text::{FilePath, ServerAddress};

/// Where endpoints come from. The last good answer stays in use whatever happens to the source.
#[config]
pub enum Discover {
    /// A file with a list of endpoints, which is read again when it changes.
    File(DiscoverFile),
    /// DNS service records (RFC 2782), asked for again when their time to live is over.
    DnsSrv(DiscoverSrv),
}

impl Discover {
    /// The kind of source, as it is written.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::DnsSrv(_) => "dns_srv",
        }
    }

    /// What the endpoints speak.
    pub const fn scheme(&self) -> DiscoverScheme {
        match self {
            Self::File(source) => source.scheme,
            Self::DnsSrv(source) => source.scheme,
        }
    }

    /// Whether an empty answer is believed.
    pub const fn allow_empty(&self) -> bool {
        match self {
            Self::File(source) => source.allow_empty,
            Self::DnsSrv(source) => source.allow_empty,
        }
    }

    /// Whether the first answer is waited for.
    pub const fn required(&self) -> bool {
        match self {
            Self::File(source) => source.required,
            Self::DnsSrv(source) => source.required,
        }
    }
}

/// What discovered endpoints speak.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum DiscoverScheme {
    /// Plaintext.
    Http,
    /// TLS.
    Https,
}

/// A file with a list of endpoints, YAML or JSON: URLs, or `{ url: …, weight: … }`.
#[config]
pub struct DiscoverFile {
    /// The file. Replace it by renaming another over it; while it has a mistake, the last good list
    /// stays in use.
    #[schemars(example = &"endpoints/orders.yaml")]
    pub path: FilePath,

    /// The scheme that all its URLs have.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Whether an empty list is believed. Otherwise the last endpoints stay in use.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good list, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

/// DNS service records (RFC 2782). Targets are looked up as `resolve` says; a lower priority goes
/// first, and weights are taken over.
#[config]
pub struct DiscoverSrv {
    /// The name that has the records.
    #[schemars(length(min = 1), example = &"_orders._tcp.example.internal")]
    pub name: String,

    /// What the endpoints speak.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Name servers that are asked for the records, instead of those of the system.
    #[serde(default)]
    #[schemars(example = ["127.0.0.1:8600"])]
    pub servers: Vec<ServerAddress>,

    /// The longest time an answer is used for, whatever its own time to live says.
    #[serde(default = "max_ttl")]
    pub max_ttl: Duration,

    /// Whether an answer without records is believed. Otherwise the last endpoints stay in use. A
    /// name that does not exist is a failure and not an empty answer.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good answer, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

const fn http() -> DiscoverScheme {
    DiscoverScheme::Http
}

const fn max_ttl() -> Duration {
    Duration::from_secs(60)
}
