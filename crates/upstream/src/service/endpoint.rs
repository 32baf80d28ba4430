//! One address of a service, and the set of them that is in use.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use http::{HeaderValue, uri::Authority};

use super::{
    slot::{Slot, Slots},
    spec::{EndpointHost, EndpointSpec, Scheme},
};
use crate::{balance::Weights, worker::shelf::Shelf};

static SLOTS: Slots = Slots::new();

/// One place to connect to. Lives as long as any set of endpoints contains it; connections and
/// counts of workers hang on it and live through reloads.
pub struct Endpoint {
    slot: Slot,
    spec: EndpointSpec,
    target: Target,
    host: HeaderValue,
    authority: Option<Authority>,
    tls_name: Box<str>,
    pub(crate) shelf: Shelf,
    loads: Mutex<Vec<Weak<Load>>>,
}

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Addresses of the same thing, tried in this order, the next one a little later than the one
    /// before (RFC 8305). More than one only where `localhost` has two.
    Tcp(Box<[SocketAddr]>),
    /// A Unix stream socket.
    Unix(PathBuf),
}

/// What one worker is doing with one endpoint. Written by that worker alone.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) in_flight: Count,
    pub(crate) idle: Count,
}

/// A counter with one writer: plain loads and stores, readable by other threads.
#[derive(Default)]
pub(crate) struct Count(AtomicU32);

/// The endpoints of a service at one time. Immutable.
pub struct EndpointSet {
    endpoints: Box<[Arc<Endpoint>]>,
    weights: Weights,
}

/// An endpoint as shown by the admin interface and `lintel explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// As configured: `http://orders.svc:8080`.
    pub endpoint: String,
    /// Where connections go: addresses, or the path of a socket. Empty while a name is unresolved.
    pub addresses: Vec<String>,
    /// Its part of the service's traffic, relative to the others' weights here.
    pub weight: u32,
    /// What it is able to do.
    pub state: EndpointState,
    /// Requests that are on their way, over all workers.
    pub in_flight: u32,
    /// Connections kept for the next request, over all workers.
    pub idle: u32,
}

/// What an endpoint is able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// Takes requests.
    Ready,
    /// Takes no new ones: its weight is 0.
    Drained,
    /// Its name is being resolved for the first time.
    Resolving,
    /// Its name has no address: why.
    Unresolved(String),
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Drained => f.write_str("drained"),
            Self::Resolving => f.write_str("resolving"),
            Self::Unresolved(why) => write!(f, "unresolved: {why}"),
        }
    }
}

impl Endpoint {
    pub(crate) fn new(spec: &EndpointSpec, target: Target) -> Arc<Self> {
        let authority = spec.authority();
        Arc::new(Self {
            slot: SLOTS.take(),
            target,
            host: HeaderValue::from_str(&authority)
                .unwrap_or(HeaderValue::from_static("localhost")),
            authority: authority.parse().ok(),
            tls_name: spec.tls_name().into(),
            spec: spec.clone(),
            shelf: Shelf::default(),
            loads: Mutex::default(),
        })
    }

    /// Whether connections to `self` serve for the other description as well.
    pub(crate) fn is(&self, spec: &EndpointSpec, target: &Target) -> bool {
        self.spec.scheme == spec.scheme
            && self.spec.host == spec.host
            && self.spec.port == spec.port
            && self.target == *target
    }

    pub(crate) const fn slot(&self) -> usize {
        self.slot.index()
    }

    /// As configured.
    pub const fn spec(&self) -> &EndpointSpec {
        &self.spec
    }

    /// Where connections go.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The first address; none for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.target {
            Target::Tcp(addresses) => addresses.first().copied(),
            Target::Unix(_) => None,
        }
    }

    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self.spec.scheme, Scheme::Https)
    }

    pub(crate) const fn host(&self) -> &HeaderValue {
        &self.host
    }

    pub(crate) const fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    pub(crate) fn tls_name(&self) -> &str {
        &self.tls_name
    }

    /// Makes the counters of one more worker known.
    pub(crate) fn register(&self, load: &Arc<Load>) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.retain(|known| known.strong_count() > 0);
        loads.push(Arc::downgrade(load));
    }

    pub(crate) fn status(&self, weight: u32) -> EndpointStatus {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        let loads: Vec<Arc<Load>> = loads.iter().filter_map(Weak::upgrade).collect();
        let shelved = u32::try_from(self.shelf.len()).unwrap_or(u32::MAX);
        EndpointStatus {
            endpoint: self.spec.to_string(),
            addresses: self.target.names(),
            weight,
            state: if weight == 0 {
                EndpointState::Drained
            } else {
                EndpointState::Ready
            },
            in_flight: loads.iter().map(|load| load.in_flight.value()).sum(),
            idle: loads.iter().map(|load| load.idle.value()).sum::<u32>() + shelved,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("spec", &self.spec)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The target of an endpoint that needs no DNS; none for other names.
    pub(crate) fn known(spec: &EndpointSpec) -> Option<Self> {
        match &spec.host {
            EndpointHost::Ip(ip) => Some(Self::tcp([SocketAddr::new(*ip, spec.port)])),
            EndpointHost::Unix(path) => Some(Self::Unix(path.clone())),
            EndpointHost::Name(name) if is_localhost(name) => Some(Self::tcp([
                SocketAddr::new(Ipv4Addr::LOCALHOST.into(), spec.port),
                SocketAddr::new(Ipv6Addr::LOCALHOST.into(), spec.port),
            ])),
            EndpointHost::Name(_) => None,
        }
    }

    pub(crate) fn tcp(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self::Tcp(addresses.into_iter().collect())
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Tcp(addresses) => addresses.iter().map(SocketAddr::to_string).collect(),
            Self::Unix(path) => vec![show(path)],
        }
    }
}

/// `localhost` and everything below it is this machine, and never asked of a server
/// (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

fn show(path: &Path) -> String {
    format!("unix:{}", path.display())
}

impl EndpointSet {
    pub(crate) fn new(members: Vec<(Arc<Endpoint>, u32)>) -> Self {
        let weights = Weights::new(members.iter().map(|(_, weight)| *weight));
        Self {
            endpoints: members.into_iter().map(|(endpoint, _)| endpoint).collect(),
            weights,
        }
    }

    /// The endpoints, in the order of the configuration.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Their weights.
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }
}

impl Count {
    pub(crate) fn value(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn add(&self) {
        self.set(self.value().wrapping_add(1));
    }

    pub(crate) fn subtract(&self) {
        self.set(self.value().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::is_localhost;

    #[test]
    fn localhost_is_this_machine() {
        for name in [
            "localhost",
            "LocalHost",
            "localhost.",
            "orders.localhost",
            "a.b.LOCALHOST.",
        ] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "", "."] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
