//! Endpoints: where they are, and what they are told.

use http::HeaderValue;
use lintel_upstream::service as runtime;

use super::discover;
use crate::{
    model,
    text::{Endpoint, HostRule, Scheme},
};

pub(super) fn host(rule: &HostRule) -> runtime::HostRule {
    match rule {
        HostRule::Preserve => runtime::HostRule::Preserve,
        HostRule::Endpoint => runtime::HostRule::Endpoint,
        // A host was read as name and port: always a valid field value.
        HostRule::Fixed(host) => HeaderValue::from_str(host)
            .map_or(runtime::HostRule::Preserve, runtime::HostRule::Fixed),
    }
}

impl From<&model::Target> for runtime::EndpointSpec {
    fn from(target: &model::Target) -> Self {
        let scheme = match target.endpoint().scheme() {
            Scheme::Http => runtime::Scheme::Http,
            Scheme::Https => runtime::Scheme::Https,
        };
        let (host, port) = match target.endpoint() {
            Endpoint::Unix(path) => (runtime::EndpointHost::Unix(path.clone()), 0),
            Endpoint::Tcp { host, port, .. } => match host.parse() {
                Ok(ip) => (runtime::EndpointHost::Ip(ip), *port),
                Err(_) => (runtime::EndpointHost::Name(host.as_str().into()), *port),
            },
        };
        Self {
            scheme,
            host,
            port,
            weight: target.weight(),
            priority: target.priority(),
            zone: target.zone().map(Into::into),
        }
    }
}

pub(super) fn resolve(resolve: &model::Resolve) -> runtime::Resolve {
    runtime::Resolve {
        min_ttl: resolve.min_ttl.to_std(),
        max_ttl: resolve.max_ttl.to_std(),
        addresses: match resolve.addresses {
            model::AddressFamily::Auto => runtime::Addresses::Auto,
            model::AddressFamily::Both => runtime::Addresses::Both,
            model::AddressFamily::Ipv4 => runtime::Addresses::Ipv4,
            model::AddressFamily::Ipv6 => runtime::Addresses::Ipv6,
        },
        servers: discover::servers(&resolve.servers),
        ..runtime::Resolve::default()
    }
}
