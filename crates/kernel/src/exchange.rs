//! One request on its way through the gateway.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU8, NonZeroU64},
    rc::Rc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, StatusCode, request, uri::PathAndQuery};
use smallvec::SmallVec;

use crate::{
    ClientCertificate, Consumer, Identity, LegRecords,
    trace::{RequestId, Trace},
};

/// Stands for a method that could not be made out; no method is called so.
pub const UNKNOWN_METHOD: &str = "-";
/// Stands for a target that could not be made out; else it is found with OPTIONS alone (RFC 9110
/// §7.1).
pub const UNKNOWN_TARGET: &str = "*";

/// What is known of one request, from its arrival to the last byte of its answer.
///
/// Belongs to one worker; nothing in it is shared with another thread. Policies read and change
/// `request`; everything else is filled in by the step it is named after.
pub struct Exchange {
    /// The request's head as it will go upstream. The body travels beside it.
    pub request: request::Parts,
    /// Names behind the ids below; also keeps the configuration alive that the request began with.
    pub names: Rc<dyn Names>,

    /// When its head was complete.
    pub received: Instant,
    /// The peer of the connection: the client itself or the proxy in front.
    pub peer: Option<SocketAddr>,
    /// The client's address by the listener's trusted-proxy rules.
    pub client: IpAddr,
    /// Whether the client's connection to the first trusted hop was TLS.
    pub secure: bool,
    /// The certificate that the peer has shown.
    pub certificate: Option<Rc<ClientCertificate>>,
    /// Index of the listener.
    pub listener: u16,
    /// The request's id.
    pub id: RequestId,
    /// The trace it belongs to.
    pub trace: Trace,
    /// Host it asks for: lower case, without port.
    pub host: SmallVec<[u8; 40]>,
    /// Path and query as the client sent them; for logs.
    pub target: PathAndQuery,
    /// The canonical path, where it differs from the one in `target`.
    pub canonical: Option<Box<str>>,
    /// Whether the caller speaks gRPC, so that refusals must too.
    pub grpc: bool,

    /// The matched route.
    pub route: Option<u32>,
    /// The path's parameters.
    pub params: Params,
    /// Who is calling, once a policy has proved it.
    pub identity: Option<Rc<Identity>>,
    /// The service it was sent to.
    pub service: Option<u32>,
    /// The endpoint that answered, or was tried last.
    pub endpoint: Option<SocketAddr>,
    /// Tries sent upstream.
    pub attempts: u8,
    /// Time spent waiting for upstreams until the answer's head.
    pub upstream_time: Duration,
    /// Who refused it, and why.
    pub refused: Option<Refused>,
    /// What sets it apart from the plain way through its route.
    pub detour: Detour,
    /// The legs of the composition that answers it.
    pub legs: Option<Box<LegRecords>>,
    /// Places that it holds until its end, among those who may do so at once.
    pub held: SmallVec<[Held; 2]>,
    /// Why there was no answer from upstream, in words for the operator: for logs, never for the
    /// client.
    pub cause: Option<Box<str>>,
    /// Status of the answer; 0 until there is one.
    pub status: u16,
}

/// Parameters found in a path: which names, and where each value stands in the canonical path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// Id of the list of names, see [`Names::params`].
    pub names: u32,
    /// Start and end of each value, in the order of the names.
    pub spans: SmallVec<[(u32, u32); 4]>,
}

/// What sets a request apart from the plain way through its route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detour {
    /// The service that the route's split chose for it, whichever answers in the end.
    pub variant: Option<u32>,
    /// Why the route's fallback answers it.
    pub fallback: Option<&'static str>,
    /// Whether it was sent to several endpoints at once, and if so whether a later try gave the
    /// answer: `won` or `lost`.
    pub hedge: Option<&'static str>,
    /// Whether it has the answer that another request has asked for.
    pub coalesced: bool,
    /// What fault injection does to it.
    pub faults: Faults,
    /// What is left of the tightest of the limits it was counted by.
    pub allowance: Option<Allowance>,
    /// What is left of the tightest of the quotas it was counted by.
    pub quota: Option<Allowance>,
    /// The status of a gRPC call that stood behind its answer, where somebody waits for it.
    pub call_status: Option<u8>,
    /// What load shedding learns from how it is answered, if it does; a number that means something to
    /// that policy alone.
    pub learns: Option<NonZeroU64>,
    /// What the answer is to be translated into, if it is; a number that means something to the policy
    /// alone that does it.
    pub translates: Option<NonZeroU8>,
}

/// What is left of a limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Which of the request's limits.
    pub limit: u16,
    /// Seconds until it is whole again; for a refused request, until there is enough.
    pub reset: u32,
    /// How much is left.
    pub remaining: u64,
}

/// A place among those who may do something at once; whoever has given it takes it back at the end of
/// the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which of the request's limits.
    pub limit: u16,
    /// Where it is counted.
    pub place: u32,
}

/// Faults that are injected into a request: a set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u8);

impl Faults {
    /// It waits.
    pub const DELAY: Self = Self(1);
    /// It is refused.
    pub const ABORT: Self = Self(2);
    /// Its answer is slowed down.
    pub const BANDWIDTH: Self = Self(4);
    /// Its answer is broken off.
    pub const RESET: Self = Self(8);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::DELAY, "delay"),
        (Self::ABORT, "abort"),
        (Self::BANDWIDTH, "bandwidth"),
        (Self::RESET, "reset"),
    ];

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among them.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds those of `other`.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Each of them as a number, with its name.
    pub fn iter(self) -> impl Iterator<Item = (u8, &'static str)> {
        Self::NAMES
            .into_iter()
            .filter(move |(fault, _)| self.contains(*fault))
            .map(|(fault, name)| (fault.0, name))
    }

    /// Their names, as logs and metrics show them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(|(_, name)| name)
    }
}

/// A refusal as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The policy or step.
    pub by: &'static str,
    /// The stable code.
    pub code: &'static str,
    /// What the client was told.
    pub detail: Cow<'static, str>,
}

/// Resolves the ids in an [`Exchange`]. Implemented by the configuration a request runs on.
pub trait Names {
    /// Name of a listener.
    fn listener(&self, index: u16) -> &str;
    /// Name of a route.
    fn route(&self, index: u32) -> &str;
    /// The parameter names of one path pattern, in order.
    fn params(&self, names: u32) -> &[std::sync::Arc<str>];
    /// Name of a service.
    fn service(&self, index: u32) -> &str;
}

/// How a request came to its end; known only after the last byte of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Whether it ended well.
    pub outcome: Outcome,
    /// Bytes of request body passed on.
    pub bytes_in: u64,
    /// Bytes of response body sent.
    pub bytes_out: u64,
    /// From the complete request head to the last byte of the answer.
    pub duration: Duration,
    /// What of the time until the answer's head the gateway itself spent, as far as that is known.
    pub overhead: Option<Duration>,
}

/// Whether a request ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The whole answer was handed to the client's connection.
    Complete,
    /// The client went away first.
    ClientGone,
    /// The upstream broke off in the middle of its answer.
    UpstreamAborted,
    /// A deadline passed in the middle of the answer.
    Timeout,
    /// A defect of the gateway ended it.
    Panic,
}

impl Outcome {
    /// The name used in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamAborted => "upstream_aborted",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
        }
    }
}

impl Exchange {
    /// Notes the status of a gRPC call that stands behind its answer, where load shedding learns
    /// from it.
    pub fn note_trailers(&mut self, trailers: Option<&HeaderMap>) {
        if self.detour.learns.is_some() {
            let status = trailers.and_then(|trailers| trailers.get("grpc-status"));
            let status = status.and_then(|status| status.to_str().ok());
            self.detour.call_status = status.and_then(|status| status.parse().ok());
        }
    }

    /// Name of the matched route, or `""`.
    pub fn route_name(&self) -> &str {
        self.route.map_or("", |index| self.names.route(index))
    }

    /// Name of the service, or `""`.
    pub fn service_name(&self) -> &str {
        self.service.map_or("", |index| self.names.service(index))
    }

    /// Name of the service that the route's split chose, or `""`.
    pub fn variant_name(&self) -> &str {
        self.detour
            .variant
            .map_or("", |index| self.names.service(index))
    }

    /// Value of a path parameter, in canonical form.
    pub fn param(&self, name: &str) -> Option<&str> {
        if self.params.spans.is_empty() {
            return None;
        }
        let place = self
            .names
            .params(self.params.names)
            .iter()
            .position(|known| &**known == name)?;
        let (start, end) = *self.params.spans.get(place)?;
        self.path().get(start as usize..end as usize)
    }

    /// The declared consumer that is calling.
    pub fn consumer(&self) -> Option<&Consumer> {
        self.identity.as_ref()?.consumer.as_deref()
    }

    /// Host as text.
    pub fn host(&self) -> &str {
        std::str::from_utf8(&self.host).unwrap_or("")
    }

    /// The canonical path that was matched.
    pub fn path(&self) -> &str {
        self.canonical
            .as_deref()
            .unwrap_or_else(|| self.target.path())
    }

    /// The method, unless the request was refused before one could be made out.
    pub fn known_method(&self) -> Option<&Method> {
        let method = &self.request.method;
        (method.as_str() != UNKNOWN_METHOD).then_some(method)
    }

    /// Path and query as the client sent them, unless the request was refused before they could be
    /// made out.
    pub fn known_target(&self) -> Option<&str> {
        let target = self.target.as_str();
        let unknown = target == UNKNOWN_TARGET && self.request.method != Method::OPTIONS;
        (!unknown).then_some(target)
    }

    /// Status of the answer, once there is one.
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status).ok()
    }
}
