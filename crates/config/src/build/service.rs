//! Services.

use std::{collections::HashMap, sync::Arc};

use http::HeaderValue;
use lintel_tls::{ClientCertificate, ClientSettings, Roots};
use lintel_upstream::{
    Service,
    guard::{AdaptiveSpec, BreakerSpec, BudgetSpec, GuardSpec, Slow},
    retry::{Backoff, Conditions, Methods, Retry},
    service as runtime,
};

use super::{Builder, listener::tls_error};
use crate::{
    model,
    text::{Endpoint, HostRule, RetryOn, Scheme},
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
        retry: service.retry.as_ref().map(retry),
        guard: guard(&service.breaker),
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

fn guard(breaker: &model::Breaker) -> GuardSpec {
    let slow = breaker.slow.as_ref().map(|slow| Slow {
        over: slow.over.to_std(),
        share: slow.share.fraction(),
    });
    let opens = breaker.errors.is_some() || slow.is_some();
    GuardSpec {
        requests: breaker.requests,
        retries: breaker.retries,
        adaptive: breaker.adaptive.as_ref().map(|adaptive| AdaptiveSpec {
            initial: adaptive
                .initial
                .clamp(adaptive.min, adaptive.max.max(adaptive.min)),
            min: adaptive.min,
            max: adaptive.max.max(adaptive.min),
            ..AdaptiveSpec::default()
        }),
        breaker: opens.then(|| BreakerSpec {
            errors: breaker.errors.map(|share| share.fraction()),
            slow,
            window: breaker.window.to_std(),
            min_requests: breaker.min_requests,
            open_for: breaker.open_for.to_std(),
            probes: breaker.probes,
        }),
    }
}

/// Rules for trying again.
pub(super) fn retry(retry: &model::Retry) -> Retry {
    let budget = retry.budget.budget();
    Retry {
        attempts: retry.attempts,
        on: conditions(&retry.on),
        methods: match &retry.methods {
            None => Methods::Idempotent,
            Some(methods) => Methods::Only(methods.iter().map(|name| name.0.clone()).collect()),
        },
        per_try: retry.per_try.map(|limit| limit.to_std()),
        backoff: Backoff {
            base: retry.backoff.base.to_std(),
            max: retry.backoff.max.to_std(),
        },
        retry_after: retry.retry_after.to_std(),
        body: retry.body.as_u64(),
        budget: BudgetSpec {
            share: budget.share.fraction(),
            min_per_second: budget.min.count as f64 / budget.min.per.as_secs_f64(),
        },
    }
}

fn conditions(on: &[RetryOn]) -> Conditions {
    let mut conditions = Conditions::default();
    for condition in on {
        match *condition {
            RetryOn::ConnectFailure => conditions.connect_failure = true,
            RetryOn::Reset => conditions.reset = true,
            RetryOn::RefusedStream => conditions.refused_stream = true,
            RetryOn::Timeout => conditions.timeout = true,
            RetryOn::Status(status) => conditions.add_status(status),
            RetryOn::Class(class) => {
                let first = u16::from(class) * 100;
                (first..first + 100).for_each(|status| conditions.add_status(status));
            }
            RetryOn::Grpc(code) => conditions.add_grpc(code),
        }
    }
    conditions
}
