//! What may be wrong with a specification.

use std::{path::Path, time::Duration};

use lintel_kernel::Fault;
use lintel_tls::TlsError;

use super::spec::{EndpointHost, EndpointSpec, Protocol, Scheme, ServiceSpec};

/// The largest weight: sums and shares of it stay far from overflow.
const MAX_WEIGHT: u32 = 65_535;
/// `sun_path` holds 108 bytes with the final NUL (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

pub(crate) fn needs_tls(spec: &ServiceSpec) -> bool {
    spec.endpoints
        .iter()
        .any(|endpoint| endpoint.scheme == Scheme::Https)
        || spec
            .discover
            .as_ref()
            .is_some_and(|discover| discover.source.scheme == Scheme::Https)
}

/// Everything that can be told without reading a file.
pub(crate) fn faults(spec: &ServiceSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let discovered = spec.discover.is_some();
    if spec.endpoints.is_empty() && !discovered {
        faults.push(
            Fault::new("a service needs an endpoint")
                .with_hint("list at least one, such as `http://10.0.0.7:8080`")
                .under("endpoints"),
        );
    } else if !discovered && spec.endpoints.iter().all(|endpoint| endpoint.weight == 0) {
        faults.push(
            Fault::new("every endpoint has weight 0, so none would get a request")
                .with_hint("give at least one a weight of 1 or more")
                .under("endpoints"),
        );
    }
    for (index, endpoint) in spec.endpoints.iter().enumerate() {
        let wrong = endpoint_faults(endpoint);
        faults.extend(
            wrong
                .into_iter()
                .map(|fault| fault.under(index.to_string()).under("endpoints")),
        );
    }
    faults.extend(timeout_faults(spec));
    if spec.limits.connections == Some(0) {
        faults.push(
            Fault::new("with no connection allowed, every request would be refused")
                .with_hint("leave the key out for no limit")
                .under("connections")
                .under("limits"),
        );
    }
    if spec.keep_alive.max_requests == 0 {
        faults.push(
            Fault::new("a connection carries at least 1 request")
                .under("max_requests")
                .under("keep_alive"),
        );
    }
    if spec.protocol != Protocol::Http1 && spec.keep_alive.max_h2_per_worker == 0 {
        faults.push(
            Fault::new("HTTP/2 needs at least 1 connection")
                .under("max_h2_per_worker")
                .under("keep_alive"),
        );
    }
    if spec.resolve.min_ttl > spec.resolve.max_ttl {
        faults.push(
            Fault::new("`min_ttl` is longer than `max_ttl`")
                .under("min_ttl")
                .under("resolve"),
        );
    }
    faults
}

/// The first thing that is wrong with an endpoint.
pub(crate) fn endpoint_fault(endpoint: &EndpointSpec) -> Option<String> {
    endpoint_faults(endpoint)
        .into_iter()
        .next()
        .map(|fault| fault.message)
}

fn endpoint_faults(endpoint: &EndpointSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    match &endpoint.host {
        EndpointHost::Unix(path) => faults.extend(socket_fault(path)),
        _ if endpoint.port == 0 => faults.push(Fault::new("port 0 can't be connected to")),
        EndpointHost::Name(name) => faults.extend(name_fault(name)),
        EndpointHost::Ip(ip) if ip.is_unspecified() || ip.is_multicast() => {
            faults.push(
                Fault::new(format!("nothing can be reached at {ip}"))
                    .with_hint("write the address of one host"),
            );
        }
        EndpointHost::Ip(_) => {}
    }
    if endpoint.weight > MAX_WEIGHT {
        faults.push(Fault::new(format!(
            "the weight {} is above {MAX_WEIGHT}",
            endpoint.weight
        )));
    }
    faults
}

fn socket_fault(path: &Path) -> Option<Fault> {
    let len = path.as_os_str().len();
    if len == 0 {
        Some(Fault::new("the path of the socket is empty"))
    } else if len > MAX_SOCKET_PATH {
        Some(Fault::new(format!(
            "the path of the socket has {len} bytes, and the system allows {MAX_SOCKET_PATH}"
        )))
    } else {
        None
    }
}

/// RFC 1123 §2.1, with underscores, which internal names do have.
fn name_fault(name: &str) -> Option<Fault> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let good = (1..=253).contains(&bare.len()) && bare.split('.').all(label);
    (!good).then(|| {
        Fault::new(format!("`{name}` is not a host name"))
            .with_hint("letters, digits, `-` and `_`, in labels of up to 63")
    })
}

fn timeout_faults(spec: &ServiceSpec) -> Vec<Fault> {
    let timeouts = &spec.timeouts;
    let limits = [
        ("connect", timeouts.connect),
        ("tls", timeouts.tls),
        ("first_byte", timeouts.first_byte),
        ("request", timeouts.request.unwrap_or(Duration::MAX)),
        ("idle", timeouts.idle),
    ];
    limits
        .into_iter()
        .filter(|(_, limit)| limit.is_zero())
        .map(|(key, _)| {
            Fault::new("a time limit of 0 would fail every request")
                .under(key)
                .under("timeout")
        })
        .collect()
}

pub(crate) fn tls_fault(error: &TlsError) -> Fault {
    let message = match &error.file {
        Some(file) => format!("{}: {}", file.display(), error.problem),
        None => error.problem.clone(),
    };
    Fault::new(message)
        .with_hint(error.help.clone())
        .under("tls")
}
