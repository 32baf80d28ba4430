use lintel_kernel::{ByteSize, Duration, config};
use serde::Serialize;

/// What a client may ask of the gateway. Each limit has its own answer.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Limits {
    /// Connections open at a time on this listener, over all workers. Further ones are closed at
    /// once and counted in `lintel_connections_refused_total`.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// Connections open at a time from one address; further ones are closed at once. Addresses in
    /// `trusted_proxies` and `proxy_protocol` don't count: behind them everybody has one address.
    #[schemars(range(min = 1))]
    pub connections_per_client: u32,
    /// Header fields of a request; more are answered with 431.
    #[schemars(range(min = 1, max = 1000))]
    pub header_count: u16,
    /// Bytes of a request's head, from the method to the empty line; more are answered with 431.
    /// From `1KiB` to `1MiB`.
    pub header_bytes: ByteSize,
    /// Bytes of a request's target; more are answered with 414. At most `header_bytes`.
    pub uri_bytes: ByteSize,
    /// Bytes of a request's body; more are answered with 413. `unlimited` for none: bodies are
    /// streamed and take no memory, but upstreams may not be made for them.
    pub body: BodyLimit,
    /// How long the head of a request may take from its first byte to its last; then 408.
    pub header_timeout: Duration,
    /// How long a body may stand still, in either direction; then 408, or the connection is closed.
    pub body_idle: Duration,
    /// How long a connection may wait for its next request before it is closed.
    pub idle: Duration,
    /// How long a tunnel (WebSocket) may be silent in both directions before it is closed.
    pub tunnel_idle: Duration,
    /// Requests on one connection; after the last the client is asked to connect anew, which
    /// spreads clients over replicas.
    #[schemars(range(min = 1))]
    pub requests_per_connection: u32,
    /// HTTP/2 only.
    pub h2: Http2Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            connections_per_client: 1_024,
            header_count: 100,
            header_bytes: ByteSize::bytes(64 << 10),
            uri_bytes: ByteSize::bytes(8 << 10),
            body: BodyLimit::Size(ByteSize::bytes(10 << 20)),
            header_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            tunnel_idle: Duration::from_secs(3_600),
            requests_per_connection: 1_000,
            h2: Http2Limits::default(),
        }
    }
}

/// What a client may ask over HTTP/2.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Http2Limits {
    /// Streams open at a time on one connection.
    #[schemars(range(min = 1, max = 65535))]
    pub concurrent_streams: u32,
    /// Streams that a client may have reset before they were answered, at a time; more close the
    /// connection ("rapid reset", CVE-2023-44487).
    #[schemars(range(min = 1))]
    pub pending_resets: u32,
    /// Stream errors that a client may cause on one connection; more close it.
    #[schemars(range(min = 1))]
    pub errors: u32,
    /// Bytes of a request's decoded header list; more are answered with 431. From `1KiB` to `1MiB`.
    pub header_list: ByteSize,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            concurrent_streams: 128,
            pending_resets: 20,
            errors: 1_024,
            header_list: ByteSize::bytes(64 << 10),
        }
    }
}

/// The size of a body, or `unlimited`.
#[config(untagged)]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum BodyLimit {
    /// No limit.
    Unlimited(Unlimited),
    /// This many bytes.
    Size(ByteSize),
}

impl BodyLimit {
    /// The limit in bytes, if there is one.
    pub const fn bytes(self) -> Option<u64> {
        match self {
            Self::Unlimited(_) => None,
            Self::Size(size) => Some(size.as_u64()),
        }
    }
}

/// The word `unlimited`.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Unlimited {
    /// No limit.
    Unlimited,
}

/// Sizes that settings are held to, so that one mistake can't take the machine down.
pub(crate) const LARGEST_HEAD: ByteSize = ByteSize::bytes(1 << 20);
/// The least room for a request head that clients get along with.
pub(crate) const SMALLEST_HEAD: ByteSize = ByteSize::bytes(1 << 10);
