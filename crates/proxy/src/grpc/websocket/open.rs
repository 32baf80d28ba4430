//! The opening handshake (RFC 6455 §4).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request};
use lintel_grpc::{Binding, Transcoder};
use lintel_http::{Body, websocket};
use lintel_kernel::Rejection;

use super::{
    super::{Grpc, STEP, call, head},
    Session, WebSockets,
};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, NoAnswer, Upgraded},
    request::Context,
    snapshot::Route,
};

const VERSION: HeaderValue = HeaderValue::from_static("13");
const PROTOCOL: HeaderValue = HeaderValue::from_static("websocket");

const OTHER_VERSION: Rejection = Rejection::new(
    STEP,
    StatusCode::UPGRADE_REQUIRED,
    "websocket_version",
    "Only version 13 of WebSocket is spoken here.",
);
const BAD_KEY: Rejection = Rejection::new(
    STEP,
    StatusCode::BAD_REQUEST,
    "websocket_key",
    "The key of the WebSocket handshake is not 16 bytes in base64.",
);
const ORIGIN: Rejection = Rejection::new(
    STEP,
    StatusCode::FORBIDDEN,
    "origin_refused",
    "Pages of this origin may not open WebSockets here.",
);

/// The method that a request opens a stream of, if it asks for a WebSocket and there is one. Other
/// requests to switch are not heard (RFC 9110 §7.8).
pub(in super::super) fn asked(
    active: &Active,
    transcoder: &Transcoder,
    context: &Context<'_>,
) -> Option<Arc<Binding>> {
    let upgrade = context.wire.upgrade.as_ref()?;
    if !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return None;
    }
    let path = active.exchange.request.uri.path();
    transcoder.find_stream(path).map(Arc::clone)
}

/// Answers the handshake. The call begins when the connection has switched.
pub(in super::super) fn open(
    active: &mut Active,
    route: &Route,
    grpc: &Arc<Grpc>,
    (rules, binding): (&WebSockets, Arc<Binding>),
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let accept = handshake(active, rules)?;
    let mut parameters = Vec::new();
    call::parameters(active, grpc, &binding, &mut parameters)
        .map_err(|error| call::unfit(&error))?;
    dispatch::set_out(active, route, context)?;
    let head = call_head(active, &binding);
    let service = active.local.snapshot.services.get(grpc.service);
    let service = Arc::clone(service.ok_or_else(dispatch::no_service)?);
    active.exchange.service = u32::try_from(grpc.service).ok();
    let longest = rules.max_duration.map(|most| context.wire.received + most);
    let told = active.told.map(|told| told.at);
    let session = Session {
        key: service.key(&active.exchange),
        deadline: longest.into_iter().chain(told).min(),
        service,
        head,
        parameters: Bytes::from(parameters),
        grpc: Arc::clone(grpc),
        binding,
        max_message: rules.max_message,
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, PROTOCOL);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(Dispatched {
        response,
        upgraded: Some(Upgraded::Call(Box::new(session))),
    })
}

fn handshake(active: &Active, rules: &WebSockets) -> Result<HeaderValue, Rejection> {
    let headers = &active.exchange.request.headers;
    if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return Err(OTHER_VERSION
            .with_header(header::SEC_WEBSOCKET_VERSION, VERSION)
            .with_header(header::UPGRADE, PROTOCOL));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.filter(|key| websocket::is_key(key)).ok_or(BAD_KEY)?;
    match headers.get(header::ORIGIN) {
        Some(origin) if !is_welcome(origin, rules, active.exchange.host()) => Err(ORIGIN),
        _ => Ok(websocket::accept(key)),
    }
}

/// Browsers let every page open WebSockets to everywhere, with the cookies of the host: the server
/// has to look where the page is from (RFC 6455 §10.2).
fn is_welcome(origin: &HeaderValue, rules: &WebSockets, host: &str) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let origin = origin.to_ascii_lowercase();
    match &rules.origins {
        Some(origins) => origins.iter().any(|one| **one == *origin || &**one == "*"),
        None => origin
            .split_once("://")
            .is_some_and(|(_, own)| without_port(own).eq_ignore_ascii_case(without_port(host))),
    }
}

/// A host without its port: the port that a browser sees may be another than the listener's.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The head of the call; that of the request stays as it is, for the records.
fn call_head(active: &mut Active, binding: &Binding) -> request::Parts {
    let kept = head::set(active, binding, true);
    let mut call = active.exchange.request.clone();
    for name in [
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::UPGRADE,
    ] {
        call.headers.remove(name);
    }
    kept.give_back(&mut active.exchange.request);
    call
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_own_host_are_welcome_and_those_that_are_named() {
        let rules = |origins: Option<&[&str]>| WebSockets {
            origins: origins.map(|all| all.iter().map(|one| (*one).into()).collect()),
            max_message: 1,
            max_duration: None,
        };
        let listed = ["https://a.example", "http://b.example:81"];
        for (origin, host, origins, welcome) in [
            ("https://api.example", "api.example", None, true),
            ("https://API.example:8443", "api.example:81", None, true),
            ("https://evil.example", "api.example", None, false),
            ("https://api.example.evil", "api.example", None, false),
            ("null", "api.example", None, false),
            ("https://[::1]:3", "[::1]", None, true),
            ("https://A.example", "api.example", Some(&listed[..]), true),
            ("http://b.example:81", "x", Some(&listed[..]), true),
            ("http://b.example", "x", Some(&listed[..]), false),
            (
                "https://api.example",
                "api.example",
                Some(&listed[..]),
                false,
            ),
            ("null", "x", Some(&["*"][..]), true),
        ] {
            let value = HeaderValue::from_static(origin);
            let found = is_welcome(&value, &rules(origins), host);
            assert_eq!(found, welcome, "{origin} {host} {origins:?}");
        }
    }
}
