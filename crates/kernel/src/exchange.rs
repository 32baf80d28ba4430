//! One request on its way through the gateway.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{StatusCode, request};
use smallvec::SmallVec;

use crate::trace::{RequestId, Trace};

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
    /// Index of the listener.
    pub listener: u16,
    /// The request's id.
    pub id: RequestId,
    /// The trace it belongs to.
    pub trace: Trace,
    /// Host it asks for: lower case, without port.
    pub host: Bytes,
    /// The canonical path that was matched: decoded by the listener's path rules.
    pub path: Bytes,
    /// Path and query as the client sent them; for logs.
    pub target: Bytes,
    /// Whether the caller speaks gRPC, so that refusals must too.
    pub grpc: bool,

    /// The matched route.
    pub route: Option<u32>,
    /// Spans of the path's parameters in `path`, in the order of the route's parameter names.
    pub params: SmallVec<[(u32, u32); 4]>,
    /// The service it was sent to.
    pub service: Option<u32>,
    /// The endpoint that answered, or was tried last.
    pub endpoint: Option<SocketAddr>,
    /// Tries sent upstream.
    pub attempts: u8,
    /// Time spent waiting for upstreams until the answer's head.
    pub upstream_time: Duration,
    /// Step and code of a refusal.
    pub refused: Option<(&'static str, &'static str)>,
    /// Status of the answer; 0 until there is one.
    pub status: u16,
}

/// Resolves the ids in an [`Exchange`]. Implemented by the configuration a request runs on.
pub trait Names {
    /// Name of a listener.
    fn listener(&self, index: u16) -> &str;
    /// Name of a route.
    fn route(&self, index: u32) -> &str;
    /// Names of a route's path parameters, in order.
    fn params(&self, route: u32) -> &[std::sync::Arc<str>];
    /// Name of a service.
    fn service(&self, index: u32) -> &str;
}

impl Exchange {
    /// Name of the matched route, or `""`.
    pub fn route_name(&self) -> &str {
        self.route.map_or("", |index| self.names.route(index))
    }

    /// Name of the service, or `""`.
    pub fn service_name(&self) -> &str {
        self.service.map_or("", |index| self.names.service(index))
    }

    /// Value of a path parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let place = self
            .names
            .params(self.route?)
            .iter()
            .position(|known| &**known == name)?;
        let (start, end) = *self.params.get(place)?;
        std::str::from_utf8(self.path.get(start as usize..end as usize)?).ok()
    }

    /// Host as text.
    pub fn host(&self) -> &str {
        std::str::from_utf8(&self.host).unwrap_or("")
    }

    /// Canonical path as text.
    pub fn path(&self) -> &str {
        std::str::from_utf8(&self.path).unwrap_or("")
    }

    /// Status of the answer, once there is one.
    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status).ok()
    }
}
