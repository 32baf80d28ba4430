//! *receive*: from the bytes of a request to an exchange. The codec has checked the message; here
//! the path contract is applied, the client is found, and the request gets its ids.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    time::{Duration, Instant},
};

use http::{
    HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request, uri::PathAndQuery,
};
use lintel_http::{
    Request,
    forwarded::Client,
    path::{self, PathError},
};
use lintel_kernel::{
    Detour, Exchange, Rejection,
    trace::{RequestId, Trace},
};
use smallvec::SmallVec;

use crate::{
    active::Active,
    connection::{Connection, Wire},
    snapshot::{ListenerRules, Peers},
    worker::Local,
};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub(crate) const STEP: &str = "receive";

/// A request that has been taken in.
pub(crate) struct Received {
    pub(crate) active: Box<Active>,
    pub(crate) body: lintel_http::Body,
    pub(crate) client: Client,
    /// Set if the request must be refused before it is routed.
    pub(crate) refusal: Option<Rejection>,
}

pub(crate) fn receive(connection: &Connection, wire: &Wire<'_>, request: Request) -> Received {
    let local = connection.worker.local();
    let rules = listener_rules(&local, connection);
    let (mut head, body) = request.into_parts();
    let target = origin_form(&mut head);
    let mut refusal = method_refusal(&mut head);
    let canonical = canonical(&local, connection, rules, &head, &target, &mut refusal);
    if let Some(path) = &canonical {
        replace_path(&mut head, path);
    }
    let head = Head {
        head,
        target,
        canonical,
    };
    let received = wire.received.into_std();
    let (exchange, client) = exchange(connection, rules, &local, received, head);
    Received {
        active: Active::begin(&connection.worker, local, exchange),
        body,
        client,
        refusal,
    }
}

/// Brings the path into its canonical form, if that is another one than it has.
fn canonical(
    local: &Local,
    connection: &Connection,
    rules: &ListenerRules,
    head: &request::Parts,
    target: &PathAndQuery,
    refusal: &mut Option<Rejection>,
) -> Option<Box<str>> {
    match path::canonical(target.path(), &rules.path) {
        Ok(Cow::Borrowed(_)) => None,
        Ok(Cow::Owned(path)) => Some(path.into_boxed_str()),
        Err(_) if head.method == Method::OPTIONS && target.path() == "*" => None,
        Err(error) if rules.path.observe => {
            local
                .listener_metrics(connection.listener)
                .observed(error.code());
            None
        }
        Err(error) => {
            refusal.get_or_insert(path_refusal(error));
            None
        }
    }
}

/// The head of a message, with its target as it was sent.
pub(crate) struct Head {
    pub(crate) head: request::Parts,
    pub(crate) target: PathAndQuery,
    pub(crate) canonical: Option<Box<str>>,
}

/// What is known of a request before it is routed, and of its client.
pub(crate) fn exchange(
    connection: &Connection,
    rules: &ListenerRules,
    local: &Rc<Local>,
    received: Instant,
    head: Head,
) -> (Exchange, Client) {
    let Head {
        head,
        target,
        canonical,
    } = head;
    let peer_ip = connection
        .peer
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
    let client = rules
        .forward
        .client(peer_ip, connection.secure, &head.headers);
    let exchange = Exchange {
        host: host(&head),
        id: request_id(&head, rules, client.trusted),
        trace: trace(&head, rules, client.trusted),
        grpc: is_grpc(&head),
        request: head,
        names: Rc::clone(local) as Rc<dyn lintel_kernel::Names>,
        received,
        peer: connection.peer,
        client: client.ip,
        secure: client.secure,
        certificate: connection.certificate.clone(),
        listener: connection.listener,
        target,
        canonical,
        route: None,
        params: Default::default(),
        service: None,
        endpoint: None,
        attempts: 0,
        upstream_time: Duration::ZERO,
        identity: None,
        refused: None,
        detour: Detour::default(),
        legs: None,
        held: SmallVec::new(),
        cause: None,
        status: 0,
    };
    (exchange, client)
}

/// Reduces the target to origin-form: the codec has taken the authority into `Host` already.
pub(crate) fn origin_form(head: &mut request::Parts) -> PathAndQuery {
    if head.uri.authority().is_none()
        && let Some(target) = head.uri.path_and_query()
    {
        return target.clone();
    }
    let parts = std::mem::take(&mut head.uri).into_parts();
    if head.version == Version::HTTP_2
        && let Some(authority) = &parts.authority
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        // RFC 9113 §8.3.1: `:authority` is what `Host` is in HTTP/1.
        head.headers.insert(header::HOST, host);
    }
    let target = parts
        .path_and_query
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    head.uri = Uri::from(target.clone());
    target
}

/// Methods that a gateway handles itself: CONNECT is not offered, TRACE would echo credentials
/// back (RFC 9110 §9.3.8), and `Max-Forwards` ends here when it is used up (§7.6.2).
fn method_refusal(head: &mut request::Parts) -> Option<Rejection> {
    if head.method == Method::CONNECT {
        return Some(Rejection::new(
            STEP,
            StatusCode::METHOD_NOT_ALLOWED,
            "connect_refused",
            "This gateway does not open tunnels.",
        ));
    }
    if head.method != Method::TRACE && head.method != Method::OPTIONS {
        return None;
    }
    let left = head
        .headers
        .get(header::MAX_FORWARDS)
        .map(|value| value.to_str().ok()?.parse::<u32>().ok());
    match left {
        Some(Some(0)) if head.method == Method::OPTIONS => Some(Rejection::new(
            STEP,
            StatusCode::NO_CONTENT,
            "max_forwards_reached",
            "",
        )),
        Some(Some(left)) if left > 0 => {
            head.headers
                .insert(header::MAX_FORWARDS, HeaderValue::from(left - 1));
            trace_refusal(head)
        }
        _ => trace_refusal(head),
    }
}

fn trace_refusal(head: &request::Parts) -> Option<Rejection> {
    (head.method == Method::TRACE).then(|| {
        Rejection::new(
            STEP,
            StatusCode::METHOD_NOT_ALLOWED,
            "trace_refused",
            "TRACE is not offered here.",
        )
    })
}

fn path_refusal(error: PathError) -> Rejection {
    Rejection::new(
        STEP,
        StatusCode::BAD_REQUEST,
        error.code(),
        "The path of the request is malformed or not allowed.",
    )
}

fn replace_path(head: &mut request::Parts, path: &str) {
    let text = match head.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    // A canonical path and a query that was parsed before always form a valid target.
    if let Ok(target) = PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)) {
        head.uri = Uri::from(target);
    }
}

/// Lower case, without port.
fn host(head: &request::Parts) -> SmallVec<[u8; 40]> {
    let Some(value) = head.headers.get(header::HOST) else {
        return SmallVec::new();
    };
    let bytes = value.as_bytes();
    let end = match bytes.first() {
        Some(b'[') => bytes
            .iter()
            .position(|byte| *byte == b']')
            .map_or(bytes.len(), |at| at + 1),
        _ => bytes
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(bytes.len()),
    };
    // A trailing dot marks an absolute name; it names the same host.
    let name = bytes.get(..end).unwrap_or(bytes);
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut host = SmallVec::from_slice(name);
    host.make_ascii_lowercase();
    host
}

fn request_id(head: &request::Parts, rules: &ListenerRules, trusted: bool) -> RequestId {
    let accepted = (trusted && rules.accept_request_id)
        .then(|| head.headers.get(&rules.request_id))
        .flatten()
        .and_then(RequestId::accept);
    accepted.unwrap_or_else(RequestId::random)
}

fn trace(head: &request::Parts, rules: &ListenerRules, trusted: bool) -> Trace {
    let accepted = match rules.accept_trace {
        Peers::Anyone => true,
        Peers::Trusted => trusted,
        Peers::Nobody => false,
    };
    let resumed = accepted
        .then_some(&head.headers)
        .and_then(|headers| Trace::resume(headers.get(TRACEPARENT)?.as_bytes()));
    resumed.unwrap_or_else(|| {
        Trace::begin(rules.trace_sample > 0.0 && fastrand::f64() < rules.trace_sample)
    })
}

/// `application/grpc` with an optional suffix (gRPC over HTTP/2, "Requests").
fn is_grpc(head: &request::Parts) -> bool {
    head.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let rest = value.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    })
}

/// The fields that every forwarded request gets: forwarding, ids, trace.
pub(crate) fn stamp(active: &mut Active, connection: &Connection, client: Client) {
    let Active {
        exchange, local, ..
    } = active;
    let rules = listener_rules(local, connection);
    let headers = &mut exchange.request.headers;
    let host = headers.get(header::HOST).cloned();
    rules.forward.apply(
        headers,
        connection.peer.map(|peer| peer.ip()),
        client,
        host.as_ref(),
    );
    if let Some(via) = &rules.forward.via {
        via.add(exchange.request.version, headers);
    }
    headers.insert(&rules.request_id, exchange.id.to_header());
    if exchange.trace.parent_id == 0 {
        // Trace Context §3.3: a new trace begins without the state of another.
        headers.remove(TRACESTATE);
    }
    headers.insert(TRACEPARENT, exchange.trace.to_header());
}

pub(crate) fn listener_rules<'a>(
    local: &'a Local,
    connection: &'a Connection,
) -> &'a ListenerRules {
    local
        .listener_rules(connection.listener)
        .unwrap_or(&connection.rules)
}
