//! The system's name servers and hosts file.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use hickory_resolver::{TokioResolver, config::LookupIpStrategy};

use super::{Answer, Looking, Lookup};
use crate::service::Addresses;

/// What the resolver is built from. It is built anew when one of them changes.
const FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];
/// A name that does not exist may do so a moment later: services come up in any order.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);

/// Looks names up as the system is configured to: `/etc/hosts` first, then the servers and search
/// domains of `/etc/resolv.conf`.
pub struct SystemLookup {
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
    pub const fn new() -> Self {
        Self {
            resolvers: Mutex::new(Vec::new()),
        }
    }

    fn resolver(&self, addresses: Addresses) -> Result<TokioResolver, String> {
        let changed = FILES.map(|file| fs::metadata(file).and_then(|meta| meta.modified()).ok());
        let mut resolvers = self
            .resolvers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        resolvers.retain(|built| built.changed == changed);
        if let Some(built) = resolvers.iter().find(|built| built.addresses == addresses) {
            return Ok(built.resolver.clone());
        }
        let resolver = build(addresses)?;
        resolvers.push(Built {
            addresses,
            resolver: resolver.clone(),
            changed,
        });
        Ok(resolver)
    }
}

impl Default for SystemLookup {
    fn default() -> Self {
        Self::new()
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

fn build(addresses: Addresses) -> Result<TokioResolver, String> {
    let text = |error| format!("the system's resolver configuration can't be used: {error}");
    let mut builder = TokioResolver::builder_tokio().map_err(text)?;
    let options = builder.options_mut();
    options.ip_strategy = match addresses {
        Addresses::Auto => LookupIpStrategy::Ipv4thenIpv6,
        Addresses::Both => LookupIpStrategy::Ipv4AndIpv6,
        Addresses::Ipv4 => LookupIpStrategy::Ipv4Only,
        Addresses::Ipv6 => LookupIpStrategy::Ipv6Only,
    };
    options.negative_max_ttl = Some(NEGATIVE_TTL);
    builder.build().map_err(text)
}
