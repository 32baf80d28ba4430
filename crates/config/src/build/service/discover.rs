//! Sources of endpoints.

use std::{net::SocketAddr, sync::Arc};

use lintel_upstream::{
    client::Server,
    discovery::{
        self, Access, ConsulSource, EtcdSource, FileSource, Kind, KubernetesSource, Pod, PortRef,
        SrvSource,
    },
    service::{Addresses, Scheme},
};

use super::tls::tls;
use crate::{
    model::{self, UpstreamTls},
    text::{self, Endpoint, KubernetesName, ServerAddress},
};

/// `addresses` is what the service's `resolve` says.
pub(super) fn build(discover: &model::Discover, addresses: Addresses) -> discovery::Discover {
    let kind = match discover {
        model::Discover::File(file) => Kind::File(FileSource {
            path: file.path.as_path().to_owned(),
        }),
        model::Discover::DnsSrv(srv) => Kind::Srv(SrvSource {
            name: srv.name.as_str().into(),
            servers: servers(&srv.servers),
            max_ttl: srv.max_ttl.to_std(),
        }),
        model::Discover::Consul(consul) => Kind::Consul(ConsulSource {
            server: server(&consul.url, consul.tls.as_ref()),
            service: consul.service.as_str().into(),
            token: consul.token.clone(),
            datacenter: consul.datacenter.as_deref().map(Arc::from),
            namespace: consul.namespace.as_deref().map(Arc::from),
            tags: consul.tags.iter().map(|tag| tag.as_str().into()).collect(),
            filter: consul.filter.as_deref().map(Arc::from),
        }),
        model::Discover::Etcd(etcd) => {
            let members = etcd.endpoints.iter();
            let user = etcd.user.as_ref();
            Kind::Etcd(EtcdSource {
                servers: members
                    .map(|member| server(member, etcd.tls.as_ref()))
                    .collect(),
                prefix: etcd.prefix.as_str().into(),
                user: user.map(|user| (user.name.as_str().into(), user.password.clone())),
            })
        }
        model::Discover::Kubernetes(source) => Kind::Kubernetes(kubernetes(source, addresses)),
    };
    discovery::Discover {
        source: discovery::Source {
            kind,
            scheme: match discover.scheme() {
                model::DiscoverScheme::Http => Scheme::Http,
                model::DiscoverScheme::Https => Scheme::Https,
            },
        },
        allow_empty: discover.allow_empty(),
        required: discover.required(),
    }
}

fn kubernetes(source: &model::DiscoverKubernetes, addresses: Addresses) -> KubernetesSource {
    let name = |name: &KubernetesName| name.as_str().into();
    KubernetesSource {
        access: match &source.kubeconfig {
            Some(path) => Access::Kubeconfig {
                path: path.as_path().to_owned(),
                context: source.context.as_deref().map(Arc::from),
            },
            None => Access::Pod(Pod::of_environment()),
        },
        namespace: source.namespace.as_ref().map(name),
        service: name(&source.service),
        port: source.port.as_ref().map(|port| match port {
            text::PortRef::Number(number) => PortRef::Number(*number),
            text::PortRef::Name(name) => PortRef::Name(name.as_str().into()),
        }),
        addresses,
    }
}

pub(super) fn servers(servers: &[ServerAddress]) -> Arc<[SocketAddr]> {
    servers.iter().map(|server| server.0).collect()
}

/// Unix sockets have been refused by the check.
fn server(endpoint: &Endpoint, settings: Option<&UpstreamTls>) -> Server {
    let (host, port) = match endpoint {
        Endpoint::Tcp { host, port, .. } => (host.as_str(), *port),
        Endpoint::Unix(_) => ("localhost", 0),
    };
    let secure = endpoint.scheme() == text::Scheme::Https;
    Server {
        host: host.into(),
        port,
        tls: secure.then(|| settings.map(tls).unwrap_or_default()),
    }
}
