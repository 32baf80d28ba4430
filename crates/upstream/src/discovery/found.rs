//! Endpoints as a source lists them.

use std::{collections::HashSet, net::IpAddr};

use crate::service::{EndpointHost, EndpointSpec, Scheme};

/// One endpoint that a source knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is, its weight, priority and zone.
    pub spec: EndpointSpec,
}

/// Everything that a source lists, and what it lists that can't be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// The endpoints.
    pub found: Vec<Found>,
    /// Why others could not be read.
    pub unusable: Vec<String>,
}

impl Found {
    /// At a host, which is an address or a name.
    pub fn at(scheme: Scheme, host: &str, port: u16) -> Self {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        let host = bare.parse().map_or_else(
            |_| EndpointHost::Name(bare.to_ascii_lowercase().into()),
            EndpointHost::Ip,
        );
        Self {
            spec: EndpointSpec {
                scheme,
                host,
                port,
                weight: 1,
                priority: 0,
                zone: None,
            },
        }
    }
}

impl From<EndpointSpec> for Found {
    fn from(spec: EndpointSpec) -> Self {
        Self { spec }
    }
}

impl Entries {
    /// Takes out what can't be used and what is listed twice, of which the best priority counts,
    /// and sorts: sources have no order of their own, and an unchanged set must not look changed.
    ///
    /// # Errors
    ///
    /// Something is listed, and nothing of it can be used: that is a failure and not an empty set.
    pub(super) fn tidied(self, scheme: Scheme) -> Result<Self, String> {
        let (mut seen, mut found) = (HashSet::new(), Vec::with_capacity(self.found.len()));
        let mut unusable = self.unusable;
        let mut listed = self.found;
        listed.sort_by_cached_key(|one| (one.spec.priority, one.spec.to_string(), one.spec.weight));
        for one in listed {
            if let Err(why) = fits(&one.spec, scheme) {
                unusable.push(format!("{}: {why}", one.spec));
            } else if seen.insert((one.spec.host.clone(), one.spec.port)) {
                found.push(one);
            }
        }
        match unusable.first() {
            Some(first) if found.is_empty() => Err(format!(
                "no entry can be used, the first because of {first}"
            )),
            _ => Ok(Self { found, unusable }),
        }
    }
}

fn fits(spec: &EndpointSpec, scheme: Scheme) -> Result<(), String> {
    if spec.scheme != scheme {
        return Err(format!(
            "the configuration says `scheme: {}`",
            scheme.as_str()
        ));
    }
    match &spec.host {
        EndpointHost::Ip(ip) => usable(*ip)?,
        EndpointHost::Name(name) if name.is_empty() => return Err("it has no host".to_owned()),
        EndpointHost::Name(_) | EndpointHost::Unix(_) => {}
    }
    match crate::service::endpoint_fault(spec) {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

/// Whether an address can be one host's. Name servers and registries that have lost their data
/// answer with `0.0.0.0` (which Linux connects to this machine), and no host has a multicast or
/// broadcast address.
///
/// # Errors
///
/// Why not.
pub(crate) fn usable(ip: IpAddr) -> Result<(), String> {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    let mapped = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some_and(|v4| v4.is_unspecified()),
        IpAddr::V4(v4) => v4.octets()[0] == 0,
    };
    if ip.is_unspecified() || ip.is_multicast() || broadcast || mapped {
        return Err(format!("nothing can be reached at {ip}"));
    }
    Ok(())
}
