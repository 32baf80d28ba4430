//! Services.

mod balance;
mod discover;
mod endpoint;
mod health;
mod retry;
mod tls;

pub(crate) use tls::tls as upstream_tls;

use std::{collections::HashMap, sync::Arc};

use lintel_kernel::Fault;
use lintel_upstream::{Service, service as runtime};

pub(super) use self::retry::{guard, retry};
use super::{Builder, listener::tls_error};
use crate::model;

pub(super) fn build(builder: &mut Builder<'_>) -> Vec<Arc<Service>> {
    let mut built = Vec::with_capacity(builder.loaded.model.services.len());
    let before = previous(builder);
    let zone = builder.loaded.model.zone.as_deref();
    for (name, service) in &builder.loaded.model.services {
        let place = ["services", name.as_str()];
        let spec = spec(name.as_str(), service, zone).map_err(|fault| vec![fault]);
        let before = before.get(name.as_str()).copied();
        let service = match spec.and_then(|spec| Service::build(spec, before)) {
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

fn spec(
    name: &str,
    service: &model::Service,
    zone: Option<&str>,
) -> Result<runtime::ServiceSpec, Fault> {
    let steps = service.timeout.steps();
    let default = runtime::Timeouts::default();
    let resolve = endpoint::resolve(&service.resolve);
    Ok(runtime::ServiceSpec {
        protocol: match service.protocol {
            model::ServiceProtocol::Auto => runtime::Protocol::Auto,
            model::ServiceProtocol::Http1 => runtime::Protocol::Http1,
            model::ServiceProtocol::H2 | model::ServiceProtocol::Grpc => runtime::Protocol::Http2,
        },
        balance: balance::balance(&service.balance).map_err(|fault| fault.under("balance"))?,
        spread: balance::spread(&service.failover),
        slow_start: service.slow_start.to_std(),
        zone: zone.map(Into::into),
        check: service
            .health
            .as_ref()
            .map(health::check)
            .transpose()
            .map_err(|fault| fault.under("health"))?,
        eject: health::eject(service.eject.as_ref()),
        tls: service.tls.as_ref().map(tls::tls),
        timeouts: runtime::Timeouts {
            connect: steps.connect.to_std(),
            tls: steps.tls.to_std(),
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
        host: endpoint::host(&service.host),
        limits: runtime::Limits {
            connections: Some(service.breaker.connections),
            pending: service.breaker.pending,
        },
        discover: service
            .discover
            .as_ref()
            .map(|discover| discover::build(discover, resolve.addresses)),
        resolve,
        retry: service.retry.as_ref().map(retry),
        guard: retry::limits(&service.breaker),
        ..runtime::ServiceSpec::new(name, service.endpoints.iter().map(Into::into).collect())
    })
}
