//! EndpointSlices, and the endpoints that several of them make
//! (<https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/>).

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::Deserialize;

use super::{
    super::found::{Entries, Found},
    KubernetesSource, PortRef,
};
use crate::service::{Addresses, Scheme};

/// All slices of a service, by name.
#[derive(Default)]
pub(super) struct Slices(BTreeMap<String, Slice>);

/// One slice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slice {
    metadata: Metadata,
    address_type: AddressType,
    endpoints: Option<Vec<Endpoint>>,
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    resource_version: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum AddressType {
    IPv4,
    IPv6,
    #[serde(rename = "FQDN")]
    Name,
}

#[derive(Deserialize)]
struct Endpoint {
    /// Several mean the same; consumers use the first.
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Option<Conditions>,
    zone: Option<Arc<str>>,
    hints: Option<Hints>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hints {
    for_zones: Option<Vec<ForZone>>,
}

#[derive(Deserialize)]
struct ForZone {
    name: Arc<str>,
}

#[derive(Deserialize)]
struct Port {
    name: Option<String>,
    protocol: Option<String>,
    /// None for all ports.
    port: Option<u16>,
}

/// How fit an endpoint is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fitness {
    Ready,
    /// It will be gone soon and still answers.
    Leaving,
}

impl Slice {
    /// The `resourceVersion`.
    pub(super) fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Slices {
    pub(super) fn put(&mut self, slice: Slice) {
        self.0.insert(slice.metadata.name.clone(), slice);
    }

    pub(super) fn remove(&mut self, slice: &Slice) {
        self.0.remove(&slice.metadata.name);
    }

    /// The endpoints of all slices. A service with two address families has each pod twice, once in
    /// a slice of either.
    pub(super) fn entries(&self, source: &KubernetesSource, scheme: Scheme) -> Entries {
        use AddressType::{IPv4, IPv6, Name};
        let choices: &[&[AddressType]] = match source.addresses {
            Addresses::Auto => &[&[IPv4], &[IPv6], &[Name]],
            Addresses::Both => &[&[IPv4, IPv6], &[Name]],
            Addresses::Ipv4 => &[&[IPv4], &[Name]],
            Addresses::Ipv6 => &[&[IPv6], &[Name]],
        };
        let mut unusable = Vec::new();
        for types in choices {
            let entries = self.of(types, source.port.as_ref(), scheme);
            if !entries.found.is_empty() {
                return entries;
            }
            unusable.extend(entries.unusable);
        }
        Entries {
            found: Vec::new(),
            unusable,
        }
    }

    /// Those that are ready. If none is, those that are about to go and still serve: all pods may be
    /// replaced at once, and then they are better than none (KEP-1669, as kube-proxy does).
    fn of(&self, types: &[AddressType], port: Option<&PortRef>, scheme: Scheme) -> Entries {
        let (mut ready, mut leaving) = (Entries::default(), Vec::new());
        for slice in self
            .0
            .values()
            .filter(|slice| types.contains(&slice.address_type))
        {
            let endpoints = slice.endpoints.as_deref().unwrap_or_default();
            let fit = endpoints
                .iter()
                .filter_map(|one| Some((one, one.fitness()?)));
            let mut fit = fit.peekable();
            // What can't be found out of a slice that has nobody to send to is of no interest.
            if fit.peek().is_none() {
                continue;
            }
            let port = match slice.port(port) {
                Ok(port) => port,
                Err(error) => {
                    ready
                        .unusable
                        .push(format!("{}: {error}", slice.metadata.name));
                    continue;
                }
            };
            for (endpoint, fitness) in fit {
                match (endpoint.at(slice.address_type, port, scheme), fitness) {
                    (Ok(found), Fitness::Ready) => ready.found.push(found),
                    (Ok(found), Fitness::Leaving) => leaving.push(found),
                    (Err(error), _) => {
                        ready
                            .unusable
                            .push(format!("{}: {error}", slice.metadata.name));
                    }
                }
            }
        }
        if ready.found.is_empty() {
            ready.found = leaving;
        }
        ready
    }
}

impl Endpoint {
    /// What is not said counts as ready, and as serving if it is ready: so the API defines it.
    fn fitness(&self) -> Option<Fitness> {
        let conditions = self.conditions.unwrap_or_default();
        let ready = conditions.ready.unwrap_or(true);
        let serving = conditions.serving.unwrap_or(ready);
        match ready {
            true => Some(Fitness::Ready),
            false if serving && conditions.terminating == Some(true) => Some(Fitness::Leaving),
            false => None,
        }
    }

    fn at(&self, kind: AddressType, port: u16, scheme: Scheme) -> Result<Found, String> {
        let address = self.addresses.first().ok_or("an endpoint has no address")?;
        let is = address.parse::<IpAddr>();
        let fits = match kind {
            AddressType::IPv4 => matches!(is, Ok(IpAddr::V4(_))),
            AddressType::IPv6 => matches!(is, Ok(IpAddr::V6(_))),
            AddressType::Name => true,
        };
        if !fits {
            return Err(format!("`{address}` is no address of the slice's type"));
        }
        let mut found = Found::at(scheme, address, port);
        found.spec.zone = self.zone();
        Ok(found)
    }

    /// The zone that is to use it, which need not be the one it is in (topology-aware routing).
    fn zone(&self) -> Option<Arc<str>> {
        let hints = self
            .hints
            .as_ref()
            .and_then(|hints| hints.for_zones.as_ref());
        let hinted = hints.and_then(|zones| zones.first()).map(|zone| &zone.name);
        let zone = hinted.or(self.zone.as_ref());
        zone.filter(|zone| !zone.is_empty()).cloned()
    }
}

impl Slice {
    /// The number of the port that is asked for.
    fn port(&self, wanted: Option<&PortRef>) -> Result<u16, String> {
        let tcp = |port: &&Port| {
            port.protocol
                .as_deref()
                .is_none_or(|protocol| protocol == "TCP")
        };
        let ports: Vec<&Port> = self.ports.iter().flatten().filter(tcp).collect();
        let found = match wanted {
            // No port or one without a number means all of them.
            Some(PortRef::Number(number)) => {
                let has = |port: &&Port| port.port.is_none_or(|known| known == *number);
                (ports.is_empty() || ports.iter().any(has)).then_some(*number)
            }
            Some(PortRef::Name(name)) => {
                let named = |port: &&&Port| port.name.as_deref() == Some(name);
                ports.iter().find(named).and_then(|port| port.port)
            }
            None => match ports.as_slice() {
                [only] => only.port,
                _ => None,
            },
        };
        found.ok_or_else(|| {
            let known: Vec<String> = ports.iter().map(|port| port.shown()).collect();
            let known = match known.as_slice() {
                [] => "none".to_owned(),
                known => known.join(", "),
            };
            match wanted {
                None => format!("choose one of its ports with `port`: {known}"),
                Some(PortRef::Name(name)) => format!("no port is called `{name}`; its ports: {known}"),
                Some(PortRef::Number(number)) => format!(
                    "no pod has port {number}; their ports (which need not be the service's): {known}"
                ),
            }
        })
    }
}

impl Port {
    fn shown(&self) -> String {
        let number = self
            .port
            .map_or_else(|| "any".to_owned(), |port| port.to_string());
        match self.name.as_deref() {
            None | Some("") => number,
            Some(name) => format!("{number} (`{name}`)"),
        }
    }
}
