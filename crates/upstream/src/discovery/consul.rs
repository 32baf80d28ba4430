//! Endpoints from Consul's catalogue: the instances of a service that pass their health checks.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName};
use lintel_kernel::Secret;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    found::{Entries, Found},
    watcher::Session,
};
use crate::{client::Server, service::Scheme};

/// How long the server may hold a question before it answers that nothing is new.
const WAIT: Duration = Duration::from_secs(300);
/// It adds up to a sixteenth to that, so that not everybody comes back at once; and the answer
/// needs its time.
const LONGEST: Duration = Duration::from_secs(300 + 300 / 16 + 15);
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
const INDEX: &str = "x-consul-index";

/// A service in Consul.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsulSource {
    /// Where the agent or a server is.
    pub server: Server,
    /// The name of the service.
    pub service: Arc<str>,
    /// The ACL token.
    pub token: Option<Secret>,
    /// The datacenter, if it is not the agent's own.
    pub datacenter: Option<Arc<str>>,
    /// The namespace (Consul Enterprise).
    pub namespace: Option<Arc<str>>,
    /// Tags that an instance must have, all of them.
    pub tags: Vec<Arc<str>>,
    /// A filter expression.
    pub filter: Option<Arc<str>>,
}

impl fmt::Display for ConsulSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "consul {} at {}", self.service, self.server)
    }
}

/// Blocking queries, one after the other
/// (<https://developer.hashicorp.com/consul/api-docs/features/blocking>).
pub(super) async fn follow(source: &ConsulSource, session: &Session) -> Result<(), String> {
    let mut connection = source.server.connect().await?;
    if let Some(token) = &source.token {
        connection.secret(TOKEN, token.expose())?;
    }
    let mut index = 0;
    loop {
        let answer = connection.get(&source.target(index), LONGEST).await?;
        let instances: Vec<Instance> = answer.json()?;
        let next = new_index(&answer.fields)?;
        if next == index {
            session.alive();
        } else {
            session.found(entries(instances, session.scheme));
        }
        // An index that goes back is of a server that was restored: ask as if for the first time.
        index = if next < index { 0 } else { next };
    }
}

/// The index must be above 0, or the next question would not be held but answered at once, for
/// ever.
fn new_index(fields: &HeaderMap) -> Result<u64, String> {
    let index = fields.get(INDEX).and_then(|value| value.to_str().ok());
    let index = index.and_then(|text| text.parse().ok());
    index
        .filter(|index| *index > 0)
        .ok_or_else(|| "the answer has no `X-Consul-Index`; is this Consul?".to_owned())
}

impl ConsulSource {
    fn target(&self, index: u64) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut target = format!("/v1/health/service/{}?passing=true", encoded(&self.service));
        let options = [
            ("dc", &self.datacenter),
            ("ns", &self.namespace),
            ("filter", &self.filter),
        ];
        for (key, value) in options {
            if let Some(value) = value {
                target.push_str(&format!("&{key}={}", encoded(value)));
            }
        }
        for tag in &self.tags {
            target.push_str(&format!("&tag={}", encoded(tag)));
        }
        if index > 0 {
            target.push_str(&format!("&index={index}&wait={}s", WAIT.as_secs()));
        }
        target
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    node: Node,
    service: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default)]
    address: String,
    locality: Option<Locality>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ID", default)]
    id: String,
    /// Empty where it is the node's.
    #[serde(default)]
    address: String,
    port: u16,
    weights: Option<Weights>,
    locality: Option<Locality>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Locality {
    #[serde(default)]
    zone: String,
}

fn entries(instances: Vec<Instance>, scheme: Scheme) -> Entries {
    let mut entries = Entries::default();
    for Instance { node, service } in instances {
        let host = if service.address.is_empty() {
            &node.address
        } else {
            &service.address
        };
        if host.is_empty() {
            entries
                .unusable
                .push(format!("{}: it has no address", service.id));
            continue;
        }
        let mut found = Found::at(scheme, host, service.port);
        found.spec.weight = service.weights.map_or(1, |weights| weights.passing);
        let locality = service.locality.or(node.locality);
        found.spec.zone = locality
            .filter(|locality| !locality.zone.is_empty())
            .map(|locality| locality.zone.into());
        entries.found.push(found);
    }
    entries
}
