//! The system's name servers and hosts file.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use hickory_resolver::{TokioResolver, config::LookupIpStrategy};

use super::{Answer, Looking, Lookup};

/// What the resolver is built from. It is built anew when one of them changes.
const FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];
/// A name that does not exist may do so a moment later: services come up in any order.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);

/// Looks names up as the system is configured to: `/etc/hosts` first, then the servers and search
/// domains of `/etc/resolv.conf`.
pub struct SystemLookup {
    resolver: Mutex<Option<Built>>,
}

struct Built {
    resolver: TokioResolver,
    changed: [Option<SystemTime>; 2],
}

impl SystemLookup {
    /// Reads nothing before the first look-up.
    pub const fn new() -> Self {
        Self {
            resolver: Mutex::new(None),
        }
    }

    fn resolver(&self) -> Result<TokioResolver, String> {
        let changed = FILES.map(|file| fs::metadata(file).and_then(|meta| meta.modified()).ok());
        let mut built = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = built.as_ref().filter(|built| built.changed == changed) {
            return Ok(built.resolver.clone());
        }
        let resolver = build()?;
        *built = Some(Built {
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
    fn lookup<'a>(&'a self, name: &'a str) -> Looking<'a> {
        Box::pin(async move {
            let found = self
                .resolver()?
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

fn build() -> Result<TokioResolver, String> {
    let text = |error| format!("the system's resolver configuration can't be used: {error}");
    let mut builder = TokioResolver::builder_tokio().map_err(text)?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    options.negative_max_ttl = Some(NEGATIVE_TTL);
    builder.build().map_err(text)
}
