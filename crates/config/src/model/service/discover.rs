use lintel_kernel::{Duration, Secret, config};
use serde::Serialize;

use crate::{
    model::UpstreamTls,
    text::{Endpoint, FilePath, KubernetesName, PortRef, Scheme, ServerAddress},
};

/// Where endpoints come from. The last good answer stays in use whatever happens to the source.
#[config]
pub enum Discover {
    /// A file with a list of endpoints, which is read again when it changes.
    File(DiscoverFile),
    /// DNS service records (RFC 2782), asked for again when their time to live is over.
    DnsSrv(DiscoverSrv),
    /// Consul's catalogue: the instances of a service that pass their health checks, told of changes
    /// as they happen.
    Consul(DiscoverConsul),
    /// The values of all keys under a prefix in etcd (v3), told of changes as they happen.
    Etcd(DiscoverEtcd),
    /// A service in Kubernetes: its EndpointSlices, told of changes as they happen. In a pod, nothing
    /// but the service's name is needed.
    Kubernetes(DiscoverKubernetes),
}

impl Discover {
    /// The kind of source, as it is written.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::DnsSrv(_) => "dns_srv",
            Self::Consul(_) => "consul",
            Self::Etcd(_) => "etcd",
            Self::Kubernetes(_) => "kubernetes",
        }
    }

    /// What the endpoints speak.
    pub const fn scheme(&self) -> DiscoverScheme {
        match self {
            Self::File(source) => source.scheme,
            Self::DnsSrv(source) => source.scheme,
            Self::Consul(source) => source.scheme,
            Self::Etcd(source) => source.scheme,
            Self::Kubernetes(source) => source.scheme,
        }
    }

    /// The servers that are asked, with their places below the source, and TLS towards them.
    pub fn servers(&self) -> (Vec<(Vec<String>, &Endpoint)>, Option<&UpstreamTls>) {
        match self {
            Self::File(_) | Self::DnsSrv(_) | Self::Kubernetes(_) => (Vec::new(), None),
            Self::Consul(source) => {
                let url = (vec!["url".to_owned()], &source.url);
                (vec![url], source.tls.as_ref())
            }
            Self::Etcd(source) => {
                let members = source.endpoints.iter().enumerate();
                let placed = members
                    .map(|(at, member)| (vec!["endpoints".to_owned(), at.to_string()], member));
                (placed.collect(), source.tls.as_ref())
            }
        }
    }

    /// Whether an empty answer is believed.
    pub const fn allow_empty(&self) -> bool {
        match self {
            Self::File(source) => source.allow_empty,
            Self::DnsSrv(source) => source.allow_empty,
            Self::Consul(source) => source.allow_empty,
            Self::Etcd(source) => source.allow_empty,
            Self::Kubernetes(source) => source.allow_empty,
        }
    }

    /// Whether the first answer is waited for.
    pub const fn required(&self) -> bool {
        match self {
            Self::File(source) => source.required,
            Self::DnsSrv(source) => source.required,
            Self::Consul(source) => source.required,
            Self::Etcd(source) => source.required,
            Self::Kubernetes(source) => source.required,
        }
    }
}

/// What discovered endpoints speak.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum DiscoverScheme {
    /// Plaintext.
    Http,
    /// TLS.
    Https,
}

/// A file with a list of endpoints, YAML or JSON: URLs, or `{ url: …, weight: … }`.
#[config]
pub struct DiscoverFile {
    /// The file. Replace it by renaming another over it; while it has a mistake, the last good list
    /// stays in use.
    #[schemars(example = &"endpoints/orders.yaml")]
    pub path: FilePath,

    /// The scheme that all its URLs have.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Whether an empty list is believed. Otherwise the last endpoints stay in use.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good list, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

/// DNS service records (RFC 2782). Targets are looked up as `resolve` says; a lower priority goes
/// first, and weights are taken over.
#[config]
pub struct DiscoverSrv {
    /// The name that has the records.
    #[schemars(length(min = 1), example = &"_orders._tcp.example.internal")]
    pub name: String,

    /// What the endpoints speak.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Name servers that are asked for the records, instead of those of the system.
    #[serde(default)]
    #[schemars(example = ["127.0.0.1:8600"])]
    pub servers: Vec<ServerAddress>,

    /// The longest time an answer is used for, whatever its own time to live says.
    #[serde(default = "max_ttl")]
    pub max_ttl: Duration,

    /// Whether an answer without records is believed. Otherwise the last endpoints stay in use. A
    /// name that does not exist is a failure and not an empty answer.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good answer, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

/// Consul's catalogue. Weights are those of Consul for passing instances.
#[config]
pub struct DiscoverConsul {
    /// The agent, or a server.
    #[serde(default = "consul_agent")]
    pub url: Endpoint,

    /// The service's name in Consul.
    #[schemars(length(min = 1), example = &"orders")]
    pub service: String,

    /// The ACL token, which needs `service:read` and `node:read`.
    #[serde(default)]
    #[schemars(example = &"${env.CONSUL_TOKEN}")]
    pub token: Option<Secret>,

    /// The datacenter, if it is not the agent's own.
    #[serde(default)]
    #[schemars(example = &"dc1")]
    pub datacenter: Option<String>,

    /// The namespace (Consul Enterprise).
    #[serde(default)]
    #[schemars(example = &"default")]
    pub namespace: Option<String>,

    /// Tags that an instance must have, all of them.
    #[serde(default)]
    #[schemars(example = ["v2"])]
    pub tags: Vec<String>,

    /// A filter expression of Consul's.
    #[serde(default)]
    #[schemars(example = &"Service.Meta.env == prod")]
    pub filter: Option<String>,

    /// TLS towards an `https` agent. Without it, it is verified by the system's authorities.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,

    /// What the endpoints speak.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Whether an answer without any is believed. Otherwise the last endpoints stay in use.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good answer, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

/// Keys in etcd. Values are written like endpoints: a URL, or `{"url": "…", "weight": 2}`.
#[config]
pub struct DiscoverEtcd {
    /// Its members, any of which is asked.
    #[schemars(length(min = 1), example = ["https://10.0.0.5:2379"])]
    pub endpoints: Vec<Endpoint>,

    /// What the keys begin with. End it with the separator, or `/orders` is also the beginning of
    /// `/orders2/a`.
    #[schemars(length(min = 1), example = &"/services/orders/")]
    pub prefix: String,

    /// The user that may read the keys, where etcd asks for one.
    #[serde(default)]
    pub user: Option<EtcdUser>,

    /// TLS towards `https` members. Without it they are verified by the system's authorities.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,

    /// What the endpoints speak.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Whether an answer without any is believed. Otherwise the last endpoints stay in use.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good answer, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

/// A user of etcd.
#[config]
pub struct EtcdUser {
    /// Its name.
    #[schemars(length(min = 1), example = &"lintel")]
    pub name: String,
    /// Its password.
    #[schemars(example = &"${env.ETCD_PASSWORD}")]
    pub password: Secret,
}

/// A service in Kubernetes. Pods that are ready are used, or if there is none, those that are about
/// to go and still answer; zones are those of the hints. Of pods with two address families,
/// `resolve.addresses` says which is used.
#[config]
pub struct DiscoverKubernetes {
    /// The service's name.
    #[schemars(length(min = 1), example = &"orders")]
    pub service: KubernetesName,

    /// Its namespace. Without it, the gateway's own, or that of the kubeconfig's context.
    #[serde(default)]
    #[schemars(example = &"shop")]
    pub namespace: Option<KubernetesName>,

    /// The port, by its name in the service or by its number at the pods (`targetPort`). Not needed
    /// if they have only one.
    #[serde(default)]
    #[schemars(example = &"http")]
    pub port: Option<PortRef>,

    /// A kubeconfig with the API server and the credentials, for a gateway outside of the cluster.
    /// Commands for credentials (`exec`) are not run. Without it, the gateway is in a pod and its
    /// service account is used, which needs `list` and `watch` of `endpointslices`.
    #[serde(default)]
    #[schemars(example = &"kubeconfig.yaml")]
    pub kubeconfig: Option<FilePath>,

    /// Which of the kubeconfig's contexts, if it is not its current one.
    #[serde(default)]
    #[schemars(example = &"production")]
    pub context: Option<String>,

    /// What the pods speak.
    #[serde(default = "http")]
    pub scheme: DiscoverScheme,

    /// Whether an answer without any is believed. Otherwise the last endpoints stay in use.
    #[serde(default)]
    pub allow_empty: bool,

    /// Whether the gateway waits for a first good answer, at most 30 s, before it serves this
    /// configuration, and does not serve it without. Otherwise requests are answered with 503 until
    /// there is one.
    #[serde(default)]
    pub required: bool,
}

fn consul_agent() -> Endpoint {
    Endpoint::Tcp {
        scheme: Scheme::Http,
        host: "127.0.0.1".to_owned(),
        port: 8500,
    }
}

const fn http() -> DiscoverScheme {
    DiscoverScheme::Http
}

const fn max_ttl() -> Duration {
    Duration::from_secs(60)
}
