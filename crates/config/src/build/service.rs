//! Services.

use std::{collections::HashMap, sync::Arc};

use http::HeaderValue;
use lintel_tls::{ClientCertificate, ClientSettings, Roots};
use lintel_upstream::{Service, service as runtime};

use super::{Builder, listener::tls_error};
use crate::{
    model,
    text::{Endpoint, HostRule, Scheme},
};

pub(super) fn build(builder: &mut Builder<'_>) -> Vec<Arc<Service>> {
    let mut built = Vec::with_capacity(builder.loaded.model.services.len());
    let before = previous(builder);
    for (name, service) in &builder.loaded.model.services {
        let place = ["services", name.as_str()];
        let service = match Service::build(
            spec(name.as_str(), service),
            before.get(name.as_str()).copied(),
        ) {
            Ok(service) => service,
            Err(faults) => {
                builder.faults(&place, faults);
                continue;
            }
        };
        // The files of a service that did not change may have.
        if let Err(errors) = service.reload_tls() {
            let place = [&place[..], &["tls"]].concat();
            let found: Vec<_> = errors
                .iter()
                .map(|error| tls_error(builder, &place, error))
                .collect();
            builder.out.extend(found);
            continue;
        }
        built.push(service);
    }
    built
}

/// The services that serve now, whose connections and endpoint states are to live on.
fn previous<'a>(builder: &Builder<'a>) -> HashMap<&'a str, &'a Arc<Service>> {
    let services = builder
        .previous
        .map_or(&[][..], |previous| &previous.generation.snapshot.services);
    services
        .iter()
        .map(|service| (&**service.name(), service))
        .collect()
}

fn spec(name: &str, service: &model::Service) -> runtime::ServiceSpec {
    let steps = service.timeout.steps();
    let default = runtime::Timeouts::default();
    runtime::ServiceSpec {
        protocol: match service.protocol {
            model::ServiceProtocol::Auto => runtime::Protocol::Auto,
            model::ServiceProtocol::Http1 => runtime::Protocol::Http1,
            model::ServiceProtocol::H2 | model::ServiceProtocol::Grpc => runtime::Protocol::Http2,
        },
        balance: match service.balance {
            model::Balance::RoundRobin => runtime::Balance::RoundRobin,
            model::Balance::LeastRequest => runtime::Balance::LeastRequest,
        },
        tls: service.tls.as_ref().map(tls),
        timeouts: runtime::Timeouts {
            connect: steps.connect.to_std(),
            tls: default.tls,
            first_byte: steps
                .first_byte
                .map_or(default.first_byte, |first| first.to_std()),
            request: steps.request.map(|request| request.to_std()),
            idle: steps.idle.to_std(),
        },
        keep_alive: runtime::KeepAlive {
            idle: service.keep_alive.idle.to_std(),
            max_idle_per_worker: service.keep_alive.max_idle as usize,
            ..runtime::KeepAlive::default()
        },
        host: match &service.host {
            HostRule::Preserve => runtime::HostRule::Preserve,
            HostRule::Endpoint => runtime::HostRule::Endpoint,
            // A host was read as name and port: always a valid field value.
            HostRule::Fixed(host) => HeaderValue::from_str(host)
                .map_or(runtime::HostRule::Preserve, runtime::HostRule::Fixed),
        },
        limits: runtime::Limits {
            connections: Some(service.breaker.connections),
            pending: service.breaker.pending,
        },
        resolve: runtime::Resolve {
            min_ttl: service.resolve.min_ttl.to_std(),
            max_ttl: service.resolve.max_ttl.to_std(),
            addresses: match service.resolve.addresses {
                model::AddressFamily::Auto => runtime::Addresses::Auto,
                model::AddressFamily::Both => runtime::Addresses::Both,
                model::AddressFamily::Ipv4 => runtime::Addresses::Ipv4,
                model::AddressFamily::Ipv6 => runtime::Addresses::Ipv6,
            },
            ..runtime::Resolve::default()
        },
        ..runtime::ServiceSpec::new(name, service.endpoints.iter().map(endpoint).collect())
    }
}

fn endpoint(target: &model::Target) -> runtime::EndpointSpec {
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
    runtime::EndpointSpec {
        scheme,
        host,
        port,
        weight: target.weight(),
    }
}

fn tls(tls: &model::UpstreamTls) -> ClientSettings {
    ClientSettings {
        roots: tls
            .ca
            .as_ref()
            .map_or(Roots::System, |ca| Roots::File(ca.as_path().to_owned())),
        server_name: tls.server_name.clone(),
        client_certificate: tls
            .client_certificate
            .as_ref()
            .map(|pair| ClientCertificate {
                cert: pair.cert.as_path().to_owned(),
                key: pair.key.as_path().to_owned(),
            }),
        verify: !tls.insecure_skip_verify,
        ..ClientSettings::default()
    }
}
