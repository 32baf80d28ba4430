//! One address of a service, and the set of them that is in use.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use http::{HeaderValue, uri::Authority};
use lintel_kernel::hash::hash;

use super::{
    load::{Load, Tally},
    lookup::{Lookup, LookupRule},
    slot::{Slot, Slots},
    spec::{EndpointHost, EndpointSpec, Scheme},
};
use crate::{balance::Weights, health::Health, worker::shelf::Shelf};

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
    /// What it is, in one text: the same in every process.
    identity: Box<str>,
    pub(crate) shelf: Shelf,
    pub(crate) health: Health,
    /// The operator's word over the configuration's. Control side only.
    pub(crate) order: Mutex<Option<Order>>,
    loads: Mutex<Vec<Weak<Load>>>,
}

/// A weight that the operator gave while the gateway runs. Holds until the configuration gives
/// another one than it gave then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) weight: u32,
    pub(crate) configured: u32,
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

/// The endpoints of a service at one time. Immutable.
pub struct EndpointSet {
    endpoints: Box<[Arc<Endpoint>]>,
    placements: Box<[Placement]>,
    weights: Weights,
    pub(crate) lookup: Lookup,
}

/// An endpoint's part in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its part of the traffic in proportion to the others'.
    pub weight: u32,
    /// Its weight in the configuration, before the addresses of a name divide it, whatever the
    /// operator has said since.
    pub configured: u32,
    /// Whether it is asked first.
    pub priority: u8,
    /// The zone it is in.
    pub zone: Option<Arc<str>>,
}

impl Endpoint {
    pub(crate) fn new(spec: &EndpointSpec, target: Target, unchecked: bool) -> Arc<Self> {
        let authority = spec.authority();
        Arc::new(Self {
            identity: match &spec.host {
                EndpointHost::Name(_) => format!("{spec} {}", target.names().join(" ")),
                EndpointHost::Ip(_) | EndpointHost::Unix(_) => spec.to_string(),
            }
            .into(),
            health: Health::new(unchecked),
            order: Mutex::default(),
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

    /// What it is, in one text: the same in every process.
    pub(crate) const fn identity(&self) -> &str {
        &self.identity
    }

    /// What the admin interface knows it by.
    pub fn id(&self) -> String {
        format!("{:016x}", hash(self.identity.as_bytes()))
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

    /// What the operator has said about its weight, while the configuration says `configured`.
    pub(crate) fn ordered(&self, configured: u32) -> Option<u32> {
        let order = *self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order
            .filter(|order| order.configured == configured)
            .map(|order| order.weight)
    }

    /// How requests have fared, over all workers that there are.
    pub(crate) fn tally(&self) -> Tally {
        let loads = self.loads();
        let each = loads.iter().map(|load| load.results.tally());
        each.fold(Tally::default(), Tally::plus)
    }

    pub(super) fn loads(&self) -> Vec<Arc<Load>> {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.iter().filter_map(Weak::upgrade).collect()
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

    pub(crate) fn names(&self) -> Vec<String> {
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
    pub(crate) fn new(members: Vec<(Arc<Endpoint>, Placement)>, rule: &LookupRule) -> Self {
        let (endpoints, placements): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        let weights: Vec<u32> = placements.iter().map(|one| one.weight).collect();
        Self {
            lookup: rule.build(&endpoints, &weights),
            weights: Weights::new(weights),
            endpoints: endpoints.into(),
            placements: placements.into(),
        }
    }

    /// The part of each endpoint, in the same order.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// The endpoints, in the order of the configuration.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Their weights, before health and everything else is taken into account.
    pub const fn weights(&self) -> &Weights {
        &self.weights
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
