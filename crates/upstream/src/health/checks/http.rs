//! Checks by a request.

use ::http::{HeaderValue, Request, header};
use bytes::Bytes;

use super::{probe, rules::HttpProbe};
use crate::service::{Endpoint, HostRule, Service};

const AGENT: HeaderValue = HeaderValue::from_static("lintel-health-check");

/// Whether the endpoint answers as it should: why not.
pub(super) async fn check(
    service: &Service,
    endpoint: &Endpoint,
    probe: &HttpProbe,
) -> Result<(), String> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = probe.method.clone();
    head.uri = probe.path.clone().into();
    let host = match (&probe.host, &service.spec().host) {
        (Some(host), _) | (None, HostRule::Fixed(host)) => host,
        (None, HostRule::Preserve | HostRule::Endpoint) => endpoint.host(),
    };
    head.headers.insert(header::HOST, host.clone());
    head.headers.insert(header::USER_AGENT, AGENT);
    let reply = probe::ask(service, endpoint, &head, Bytes::new()).await?;
    let status = reply.status.as_u16();
    if !probe.statuses.iter().any(|good| good.contains(&status)) {
        return Err(format!("it answered with {status}"));
    }
    match &probe.body {
        Some(test) if !test.holds(&reply.body) => Err(format!(
            "it answered with {status} and a body without what is expected"
        )),
        _ => Ok(()),
    }
}
