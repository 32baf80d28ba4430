use lintel_kernel::{Duration, config};
use serde::Serialize;

use super::UpstreamTls;
use crate::text::{Endpoint, HostRule};

/// Something that requests are sent to.
#[config]
pub struct Service {
    /// Where it runs: URLs, or URLs with a weight. A name that has several addresses is several
    /// endpoints.
    #[schemars(length(min = 1), example = ["http://10.0.0.7:8080"])]
    pub endpoints: Vec<Target>,

    /// The version of HTTP it speaks.
    #[serde(default = "auto")]
    pub protocol: ServiceProtocol,

    /// How requests are spread over its endpoints.
    #[serde(default = "round_robin")]
    pub balance: Balance,

    /// How long it may take: each step by itself, or one duration for the whole request.
    #[serde(default)]
    pub timeout: TimeoutSetting,

    /// TLS towards `https` endpoints. Without it they are verified by the system's authorities.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,

    /// Connections that are kept for the next request.
    #[serde(default)]
    pub keep_alive: KeepAlive,

    /// The `Host` it sees: `preserve` for what the client sent, `endpoint` for the host of the
    /// endpoint's URL, or a host.
    #[serde(default)]
    pub host: HostRule,

    /// How the names of its endpoints are looked up.
    #[serde(default)]
    pub resolve: Resolve,

    /// When it counts as full. Requests beyond are answered with 503.
    #[serde(default)]
    pub breaker: Breaker,
}

const fn auto() -> ServiceProtocol {
    ServiceProtocol::Auto
}

const fn round_robin() -> Balance {
    Balance::RoundRobin
}

/// An endpoint: a URL, or a URL with a weight.
#[config(untagged)]
pub enum Target {
    /// A URL.
    Url(Endpoint),
    /// A URL with a weight.
    Weighted(WeightedEndpoint),
}

impl Target {
    /// The URL.
    pub const fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Url(endpoint) => endpoint,
            Self::Weighted(weighted) => &weighted.url,
        }
    }

    /// The weight.
    pub const fn weight(&self) -> u32 {
        match self {
            Self::Url(_) => 1,
            Self::Weighted(weighted) => weighted.weight,
        }
    }
}

/// An endpoint with a weight.
#[config]
pub struct WeightedEndpoint {
    /// The URL.
    pub url: Endpoint,
    /// How many requests it gets in proportion to the others; 0 for none.
    #[serde(default = "weight")]
    #[schemars(range(max = 1_000_000))]
    pub weight: u32,
}

const fn weight() -> u32 {
    1
}

/// The version of HTTP a service speaks.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum ServiceProtocol {
    /// Over TLS what the endpoint chooses by ALPN; in plaintext HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, in plaintext too.
    H2,
    /// gRPC: HTTP/2 with trailers; failures are answered with `grpc-status`.
    Grpc,
}

/// How requests are spread over endpoints.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// To the endpoint of two picked at random that has fewer requests open for its weight.
    LeastRequest,
}

/// How long a service may take: each step, or the whole request.
#[config(untagged)]
#[derive(PartialEq, Serialize)]
pub enum TimeoutSetting {
    /// The whole request.
    Request(Duration),
    /// Each step.
    Steps(ServiceTimeout),
}

impl Default for TimeoutSetting {
    fn default() -> Self {
        Self::Steps(ServiceTimeout::default())
    }
}

impl TimeoutSetting {
    /// The steps, whichever way it was written.
    pub fn steps(&self) -> ServiceTimeout {
        match self {
            Self::Request(request) => ServiceTimeout {
                request: Some(*request),
                ..ServiceTimeout::default()
            },
            Self::Steps(steps) => steps.clone(),
        }
    }
}

/// How long each step may take. A step that takes longer is answered with 504.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct ServiceTimeout {
    /// To connect, TLS included.
    pub connect: Duration,
    /// From the last byte of the request to the first byte of the answer. Default: what is left of
    /// the route's `timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Duration>,
    /// From the first byte of the request to the last byte of the answer. Default: no limit, so
    /// that streams may be as long as they like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
    /// How long a body may stand still, in either direction.
    pub idle: Duration,
}

impl Default for ServiceTimeout {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            first_byte: None,
            request: None,
            idle: Duration::from_secs(60),
        }
    }
}

/// Connections that are kept for the next request.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct KeepAlive {
    /// How long one is kept. Stay below what the upstream keeps it for.
    pub idle: Duration,
    /// How many each worker keeps to one endpoint; 0 for none.
    pub max_idle: u32,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            max_idle: 128,
        }
    }
}

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
}

impl Default for Resolve {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(60),
            addresses: AddressFamily::Both,
        }
    }
}

/// Which addresses of a name are used.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum AddressFamily {
    /// Both IPv4 and IPv6.
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// When a service counts as full. Counted by each replica.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Breaker {
    /// Connections open at a time to all its endpoints.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// Requests that may wait for a connection.
    pub pending: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            connections: 1_024,
            pending: 1_024,
        }
    }
}
