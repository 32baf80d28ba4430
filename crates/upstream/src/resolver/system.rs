//! The system's name servers and hosts file.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{RData, RecordType, rdata::SRV},
};

use super::{Answer, Looking, Lookup};
use crate::service::Addresses;

/// What the resolver is built from. It is built anew when one of them changes.
const FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];
/// A name that does not exist may do so a moment later: services come up in any order.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);

/// Every look-up in use, so that services that ask alike share its cache and its sockets.
static LIVE: Mutex<Vec<Arc<SystemLookup>>> = Mutex::new(Vec::new());

/// Looks names up as the system is configured to: `/etc/hosts` first, then the servers and search
/// domains of `/etc/resolv.conf`; or asks given servers and nothing else.
pub struct SystemLookup {
    /// Servers to ask instead of the system's; none for those.
    servers: Arc<[SocketAddr]>,
    /// One for each choice of addresses that is made.
    resolvers: Mutex<Vec<Built>>,
}

struct Built {
    addresses: Addresses,
    resolver: TokioResolver,
    changed: [Option<SystemTime>; 2],
}

impl SystemLookup {
    /// Reads nothing before the first look-up.
    pub const fn new(servers: Arc<[SocketAddr]>) -> Self {
        Self {
            servers,
            resolvers: Mutex::new(Vec::new()),
        }
    }

    /// The one that all share who ask these servers or, where there are none, those of the system.
    pub fn shared(servers: &Arc<[SocketAddr]>) -> Arc<Self> {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = live.iter().find(|known| known.servers == *servers) {
            return Arc::clone(known);
        }
        live.retain(|known| Arc::strong_count(known) > 1);
        let fresh = Arc::new(Self::new(Arc::clone(servers)));
        live.push(Arc::clone(&fresh));
        fresh
    }

    /// The service records of a name (RFC 2782), and how long they hold.
    ///
    /// # Errors
    ///
    /// Why there is no answer, for the log and the admin interface.
    pub async fn services(&self, name: &str) -> Result<(Vec<SRV>, Duration), String> {
        let found = self
            .resolver(Addresses::Auto)?
            .lookup(name, RecordType::SRV)
            .await
            .map_err(|error| error.to_string())?;
        let records = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv.clone()),
                _ => None,
            });
        let ttl = found
            .valid_until()
            .saturating_duration_since(Instant::now());
        Ok((records.collect(), ttl))
    }

    fn resolver(&self, addresses: Addresses) -> Result<TokioResolver, String> {
        let own = !self.servers.is_empty();
        let changed = FILES.map(|file| {
            let meta = (!own).then(|| fs::metadata(file).ok()).flatten();
            meta.and_then(|meta| meta.modified().ok())
        });
        let mut resolvers = self
            .resolvers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        resolvers.retain(|built| built.changed == changed);
        if let Some(built) = resolvers.iter().find(|built| built.addresses == addresses) {
            return Ok(built.resolver.clone());
        }
        let resolver = self.build(addresses)?;
        resolvers.push(Built {
            addresses,
            resolver: resolver.clone(),
            changed,
        });
        Ok(resolver)
    }

    fn build(&self, addresses: Addresses) -> Result<TokioResolver, String> {
        let text = |error| format!("the system's resolver configuration can't be used: {error}");
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(text)?
        } else {
            let servers = self.servers.iter().map(server).collect();
            TokioResolver::builder_with_config(
                ResolverConfig::from_name_servers(servers),
                TokioRuntimeProvider::default(),
            )
        };
        let options = builder.options_mut();
        options.ip_strategy = match addresses {
            Addresses::Auto => LookupIpStrategy::Ipv4thenIpv6,
            Addresses::Both => LookupIpStrategy::Ipv4AndIpv6,
            Addresses::Ipv4 => LookupIpStrategy::Ipv4Only,
            Addresses::Ipv6 => LookupIpStrategy::Ipv6Only,
        };
        if !self.servers.is_empty() {
            options.use_hosts_file = ResolveHosts::Never;
        }
        options.negative_max_ttl = Some(NEGATIVE_TTL);
        builder.build().map_err(text)
    }
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self::new([].into())
    }
}

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, name: &'a str, addresses: Addresses) -> Looking<'a> {
        Box::pin(async move {
            let found = self
                .resolver(addresses)?
                .lookup_ip(name)
                .await
                .map_err(|error| error.to_string())?;
            Ok(Answer {
                addresses: found.iter().collect(),
                ttl: found
                    .valid_until()
                    .saturating_duration_since(Instant::now()),
            })
        })
    }
}

/// A truncated answer over UDP is asked for again over TCP (RFC 7766 §5).
fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
