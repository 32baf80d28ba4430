use std::sync::Arc;

use http::header::HeaderName;
use http::{HeaderMap, Method};

use crate::{Allow, HostPattern, Params, PathPattern, ValueMatch};

/// What one route asks of a request. Every list that is empty asks nothing.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// The route's name, unique among the routes of one [`Router`](crate::Router).
    pub name: Arc<str>,
    /// Any of these hosts; empty takes every host.
    pub hosts: Vec<HostPattern>,
    /// Any of these paths; empty takes every path, `*` of `OPTIONS *` (RFC 9112 §3.2.4) included.
    pub paths: Vec<PathPattern>,
    /// Any of these methods; empty takes every method. `GET` implies `HEAD` (RFC 9110 §9.3.2).
    pub methods: Vec<Method>,
    /// All of these headers. Several lines of one name count as one value joined by `", "` (RFC 9110 §5.3).
    pub headers: Vec<(HeaderName, ValueMatch)>,
    /// All of these query parameters, by decoded name. A repeated parameter counts with its first value.
    pub query: Vec<(String, ValueMatch)>,
    /// Only on these listeners; empty is every listener.
    pub listeners: Vec<u16>,
}

impl RouteSpec {
    /// A route that takes every request, to be narrowed by setting fields.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            hosts: Vec::new(),
            paths: Vec::new(),
            methods: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
            listeners: Vec::new(),
        }
    }
}

/// The parts of a request that decide its route.
#[derive(Debug, Clone, Copy)]
pub struct Query<'r> {
    /// The listener that took the connection.
    pub listener: u16,
    /// The host in lower case, without port; IPv6 in brackets. One trailing dot is ignored. Empty if there is none.
    pub host: &'r str,
    /// The canonical path, in the normal form of RFC 3986 §6.2.2, beginning with `/` (or `*` for `OPTIONS *`).
    pub path: &'r str,
    /// The raw query without `?`; decoded only if a route looks at it.
    pub query: Option<&'r str>,
    /// The request method; case-sensitive (RFC 9110 §9.1).
    pub method: &'r Method,
    /// The request headers.
    pub headers: &'r HeaderMap,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A route takes the request.
    Matched {
        /// Its position in the list given to [`Router::build`](crate::Router::build).
        route: usize,
        /// What its path pattern captured.
        params: Params,
    },
    /// No route takes the request, and with another method one would: 405 (RFC 9110 §15.5.6).
    MethodNotAllowed {
        /// Every method for which this target, with these headers and this query, has a route.
        allow: Allow,
    },
    /// No route takes the request: 404.
    NotFound,
}
