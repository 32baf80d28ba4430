//! What a service is, as the configuration says it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use http::HeaderValue;
use lintel_tls::ClientSettings;

use super::balance::Balance;
use crate::{
    balance::Rules,
    discovery::Discover,
    guard::GuardSpec,
    health::{Check, Eject},
    retry::Retry,
};

/// Everything about one service. Two equal specifications describe the same service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// Its name in the configuration, metrics and logs.
    pub name: Arc<str>,
    /// Where it runs. At least one, unless endpoints are discovered.
    pub endpoints: Vec<EndpointSpec>,
    /// Which HTTP version is spoken to it.
    pub protocol: Protocol,
    /// How an endpoint is chosen.
    pub balance: Balance,
    /// How `https` endpoints are reached; `None` stands for the defaults. ALPN is set from
    /// `protocol`, whatever it says.
    pub tls: Option<ClientSettings>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// What is kept between requests.
    pub keep_alive: KeepAlive,
    /// The `Host` that the service is told.
    pub host: HostRule,
    /// Bounds on what the service is made to carry.
    pub limits: Limits,
    /// How names are resolved.
    pub resolve: Resolve,
    /// When a request is tried again, where its route has no rules of its own.
    pub retry: Option<Retry>,
    /// Bounds on what it is made to do.
    pub guard: GuardSpec,
    /// What the gateway itself asks of endpoints; none for nothing.
    pub check: Option<Check>,
    /// What of an endpoint's requests has it left out for a while; none for nothing.
    pub eject: Option<Eject>,
    /// When one group of endpoints takes over from another.
    pub spread: Rules,
    /// The zone that the gateway is in.
    pub zone: Option<Arc<str>>,
    /// How long a new endpoint takes to get its full part; zero for no time.
    pub slow_start: Duration,
    /// Where endpoints come from besides `endpoints`, which may be empty then.
    pub discover: Option<Discover>,
}

/// One place where a service runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointSpec {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Where.
    pub host: EndpointHost,
    /// TCP port; ignored for Unix sockets.
    pub port: u16,
    /// Its share of the traffic relative to the others. 0 drains it. The addresses of one name
    /// divide the weight between them.
    pub weight: u32,
    /// Endpoints of priority 0 are asked first; those of the next take over as they fall short.
    pub priority: u8,
    /// The zone that it is in, if it says so.
    pub zone: Option<Arc<str>>,
}

/// Plain or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Bytes go as they are.
    Http,
    /// Bytes go encrypted.
    Https,
}

/// The host part of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointHost {
    /// A name to be resolved.
    Name(Arc<str>),
    /// An address.
    Ip(IpAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
}

/// Which HTTP version is spoken to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: by prior knowledge on plain connections (RFC 9113 §3.3), by ALPN under TLS.
    Http2,
    /// Under TLS what ALPN settles, otherwise HTTP/1.1.
    #[default]
    Auto,
}

/// Time limits towards a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a TCP or Unix connection stands; also how long a request waits for a connection
    /// where `limits.connections` is reached, and for the first resolution of a name.
    pub connect: Duration,
    /// Until the TLS handshake is through.
    pub tls: Duration,
    /// Without any progress of the request body or the response, until the response head.
    pub first_byte: Duration,
    /// From the arrival at the service to the response head, over all tries. The body after it is
    /// bounded by `idle` alone, so that downloads and event streams may last.
    pub request: Option<Duration>,
    /// Without any progress of the response body.
    pub idle: Duration,
}

/// What is kept between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long a connection is kept unused.
    pub idle: Duration,
    /// Unused connections kept by one worker for one endpoint; 0 closes each after its request.
    /// Of more than these, each is closed a second after its last use.
    pub max_idle_per_worker: usize,
    /// Requests after which an HTTP/1 connection is closed.
    pub max_requests: u32,
    /// HTTP/2 connections that one worker opens to one endpoint, at most.
    pub max_h2_per_worker: usize,
}

/// The `Host` (`:authority`) that a service is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostRule {
    /// The one that the client sent.
    #[default]
    Preserve,
    /// The endpoint's own, with its port where that is not the scheme's default.
    Endpoint,
    /// Always this one.
    Fixed(HeaderValue),
}

/// Bounds over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections to all endpoints together, in use and idle.
    pub connections: Option<u32>,
    /// Requests waiting for a connection, or for a stream on a full HTTP/2 connection. More are
    /// refused at once.
    pub pending: u32,
}

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// Servers to ask; none for those of the system.
    pub servers: Arc<[SocketAddr]>,
    /// An answer is used for at least this long, whatever its TTL.
    pub min_ttl: Duration,
    /// An answer is used for at most this long, whatever its TTL.
    pub max_ttl: Duration,
    /// Which addresses of a name are used.
    pub addresses: Addresses,
    /// The first pause after a failed look-up; doubles up to `max_ttl` or 30 s, whichever is less.
    pub retry: Duration,
}

/// Which addresses of a name are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// The IPv4 addresses, or the IPv6 ones of a name that has no IPv4 address.
    #[default]
    Auto,
    /// All of them.
    Both,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

impl ServiceSpec {
    /// The `Host` of requests that are no client's. None where nothing is fit for a field.
    pub(super) fn own_host(&self) -> Option<HeaderValue> {
        match (&self.host, self.endpoints.first()) {
            (HostRule::Fixed(host), _) => Some(host.clone()),
            (_, Some(endpoint)) => endpoint.authority().parse().ok(),
            (_, None) => self.name.parse().ok(),
        }
    }

    /// A service with the given endpoints and defaults for everything else.
    pub fn new(name: impl Into<Arc<str>>, endpoints: Vec<EndpointSpec>) -> Self {
        Self {
            name: name.into(),
            endpoints,
            protocol: Protocol::default(),
            balance: Balance::default(),
            tls: None,
            timeouts: Timeouts::default(),
            keep_alive: KeepAlive::default(),
            host: HostRule::default(),
            limits: Limits::default(),
            resolve: Resolve::default(),
            retry: None,
            guard: GuardSpec::default(),
            check: None,
            eject: Some(Eject::default()),
            spread: Rules::default(),
            zone: None,
            slow_start: Duration::ZERO,
            discover: None,
        }
    }
}

impl EndpointSpec {
    /// A plain endpoint at an address.
    pub fn http(address: SocketAddr) -> Self {
        Self {
            scheme: Scheme::Http,
            host: EndpointHost::Ip(address.ip()),
            port: address.port(),
            weight: 1,
            priority: 0,
            zone: None,
        }
    }

    /// The `Host` of the endpoint: without the port where it is the scheme's default
    /// (RFC 9110 §4.2.1, §4.2.2).
    pub fn authority(&self) -> String {
        let host = match &self.host {
            EndpointHost::Name(name) => name.to_string(),
            EndpointHost::Ip(IpAddr::V4(ip)) => ip.to_string(),
            EndpointHost::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            EndpointHost::Unix(_) => return "localhost".to_owned(),
        };
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The name that TLS asks for and verifies, where the settings name no other.
    pub(crate) fn tls_name(&self) -> String {
        match &self.host {
            EndpointHost::Name(name) => name.to_string(),
            EndpointHost::Ip(ip) => ip.to_string(),
            EndpointHost::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for EndpointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            EndpointHost::Unix(path) => {
                write!(f, "{}+unix:{}", self.scheme.as_str(), path.display())
            }
            _ => write!(f, "{}://{}", self.scheme.as_str(), self.authority()),
        }
    }
}

impl Scheme {
    /// As written in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that needs no mention.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            tls: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            request: None,
            idle: Duration::from_secs(60),
        }
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            max_idle_per_worker: 128,
            max_requests: u32::MAX,
            max_h2_per_worker: 4,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            pending: 1024,
        }
    }
}

impl Default for Resolve {
    fn default() -> Self {
        Self {
            servers: [].into(),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
            addresses: Addresses::Auto,
            retry: Duration::from_secs(1),
        }
    }
}
