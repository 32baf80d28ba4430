//! What a listener is.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use lintel_http1::server::Options;
use lintel_proxy::snapshot::{ListenerRules, Snapshot};
use lintel_tls::Acceptor;

/// One configuration, as the server needs it.
#[derive(Clone)]
pub struct Generation {
    /// What requests run on.
    pub snapshot: Arc<Snapshot>,
    /// Where they come in.
    pub listeners: Vec<Arc<ListenerSpec>>,
}

/// Where and how a listener takes connections.
pub struct ListenerSpec {
    /// See [`listener_id`].
    pub id: u16,
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where it listens.
    pub binds: Vec<Bind>,
    /// TLS; without it the listener is plaintext.
    pub tls: Option<Arc<Acceptor>>,
    /// The HTTP versions spoken.
    pub protocols: Protocols,
    /// Limits and times of HTTP/1 connections. `header_timeout`, `idle_timeout`,
    /// `body_idle_timeout`, `write_timeout` and `max_requests` hold for HTTP/2 as well.
    pub http1: Options,
    /// Limits of HTTP/2 connections.
    pub h2: H2Limits,
    /// Limits on connections.
    pub limits: Limits,
    /// Peers that must begin each connection with a PROXY protocol header. A connection from
    /// anybody else is served as it is, so that a header it sends is a malformed request. Peers on
    /// a Unix socket must send the header whenever this is set.
    pub proxy_protocol: Option<Vec<IpNet>>,
    /// What the listener demands of requests, and tells upstreams of them.
    pub rules: Arc<ListenerRules>,
    /// Connections that the kernel holds until they are accepted, for each worker; the kernel
    /// bounds it by `net.core.somaxconn`.
    pub backlog: u32,
}

impl ListenerSpec {
    /// A plaintext listener with defaults for everything else. Its name is that of its rules.
    pub fn new(binds: Vec<Bind>, rules: Arc<ListenerRules>) -> Self {
        Self {
            id: listener_id(&rules.name),
            name: Arc::clone(&rules.name),
            binds,
            tls: None,
            protocols: Protocols::default(),
            http1: Options::default(),
            h2: H2Limits::default(),
            limits: Limits::default(),
            proxy_protocol: None,
            rules,
            backlog: 4096,
        }
    }
}

/// A place to listen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// A TCP address. `[::]` takes IPv4 connections as well. Port 0 stands for a free port.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix {
        /// Where it is in the file system. The socket that a dead process has left there is
        /// replaced.
        path: PathBuf,
        /// Its permission bits; without them the process's umask decides.
        mode: Option<u32>,
    },
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The HTTP versions spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.0 and HTTP/1.1.
    pub http1: bool,
    /// HTTP/2: by ALPN under TLS (RFC 9113 §3.2), by its preface in plaintext (§3.3).
    pub h2: bool,
}

impl Default for Protocols {
    fn default() -> Self {
        Self {
            http1: true,
            h2: true,
        }
    }
}

/// Limits on connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at a time, over all workers; further ones are closed at once.
    pub connections: u32,
    /// Connections open at a time from one client address; further ones are closed at once. IPv6
    /// addresses count by their /64, which is what one client has.
    pub connections_per_client: u32,
    /// Addresses that `connections_per_client` does not hold for, such as proxies in front.
    pub uncounted: Vec<IpNet>,
    /// How long a declared peer may take for its PROXY protocol header. The time for a TLS
    /// handshake is in the TLS settings.
    pub proxy_header_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            connections_per_client: 1024,
            uncounted: Vec::new(),
            proxy_header_timeout: Duration::from_secs(5),
        }
    }
}

/// Limits of HTTP/2 connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct H2Limits {
    /// Streams open at a time on one connection (RFC 9113 §5.1.2).
    pub max_concurrent_streams: u32,
    /// Bytes of a request's field section as RFC 9113 §6.5.2 counts them; more is 431.
    pub max_header_list_bytes: u32,
    /// Streams that a client may have reset before they were taken up, at a time; more end the
    /// connection with `ENHANCE_YOUR_CALM` ("rapid reset", CVE-2023-44487).
    pub max_pending_accept_reset_streams: usize,
    /// Streams that the client made this side reset, at a time; more end the connection.
    pub max_local_resets: usize,
    /// Frames that do no work.
    pub floods: FloodLimits,
    /// A PING is sent after this long without a frame, so that a client that is gone is noticed.
    pub keep_alive_interval: Option<Duration>,
    /// How long its answer may take.
    pub keep_alive_timeout: Duration,
    /// Bytes of a request body that may be on their way on one stream.
    pub initial_stream_window: u32,
    /// The same for all streams of a connection together. Bounds what a connection can make this
    /// side hold of request bodies.
    pub initial_connection_window: u32,
    /// Bytes of an answer that are held for a stream whose client does not take them.
    pub max_send_buffer: usize,
}

impl Default for H2Limits {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 128,
            max_header_list_bytes: 64 * 1024,
            max_pending_accept_reset_streams: 20,
            max_local_resets: 1024,
            floods: FloodLimits::default(),
            keep_alive_interval: Some(Duration::from_secs(30)),
            keep_alive_timeout: Duration::from_secs(20),
            initial_stream_window: 256 * 1024,
            initial_connection_window: 1024 * 1024,
            max_send_buffer: 64 * 1024,
        }
    }
}

/// How many frames of each kind a client may send within an interval; more close the connection.
///
/// For `pings`, `resets`, `priorities` and `others`, each answer or piece of an answer sent
/// meanwhile allows one more: clients measure the bandwidth of a download with a PING per round trip
/// and take part of it with WINDOW_UPDATE, while a flood is all cost and no answer
/// (CVE-2019-9511 … 9518).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimits {
    /// The time they are counted over.
    pub interval: Duration,
    /// PING.
    pub pings: u32,
    /// SETTINGS.
    pub settings: u32,
    /// RST_STREAM.
    pub resets: u32,
    /// PRIORITY.
    pub priorities: u32,
    /// DATA without data that does not end its stream.
    pub empty_data: u32,
    /// WINDOW_UPDATE and frames of unknown kinds.
    pub others: u32,
}

impl Default for FloodLimits {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            pings: 500,
            settings: 100,
            resets: 500,
            priorities: 1000,
            empty_data: 100,
            others: 10_000,
        }
    }
}

/// The id of the listener with this name: the same as long as the process lives, whatever
/// configurations come and go. After 65,535 different names all further ones share the last id.
pub fn listener_id(name: &str) -> u16 {
    static IDS: LazyLock<Mutex<HashMap<Arc<str>, u16>>> = LazyLock::new(Mutex::default);
    let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    let next = u16::try_from(ids.len()).unwrap_or(u16::MAX);
    *ids.entry(name.into()).or_insert(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_id() {
        let (a, b) = (listener_id("spec-a"), listener_id("spec-b"));
        assert_ne!(a, b);
        assert_eq!((listener_id("spec-a"), listener_id("spec-b")), (a, b));
    }
}
