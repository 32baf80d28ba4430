//! Routes and requests in a line each.
#![allow(
    dead_code,
    reason = "shared by test binaries of which none uses everything"
)]

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};
use lintel_router::{
    HostPattern, Outcome, PathPattern, Query, RouteSpec, Router, ValueMatch, ValueRegex,
};

/// A route: `host path` patterns apart by spaces, then narrowed.
pub(crate) struct Route(pub(crate) RouteSpec);

pub(crate) fn route(name: &str) -> Route {
    Route(RouteSpec::new(name))
}

impl Route {
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.0.hosts.push(HostPattern::parse(host).unwrap());
        self
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        self.0.paths.push(PathPattern::parse(path).unwrap());
        self
    }

    pub(crate) fn methods(mut self, methods: &str) -> Self {
        self.0.methods.extend(methods.split(' ').map(method));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: ValueMatch) -> Self {
        self.0.headers.push((HeaderName::from_static(name), value));
        self
    }

    pub(crate) fn query(mut self, name: &str, value: ValueMatch) -> Self {
        self.0.query.push((name.to_owned(), value));
        self
    }

    pub(crate) fn listener(mut self, listener: u16) -> Self {
        self.0.listeners.push(listener);
        self
    }
}

pub(crate) fn exact(value: &str) -> ValueMatch {
    ValueMatch::Exact(value.to_owned())
}

pub(crate) fn regex(text: &str) -> ValueMatch {
    ValueMatch::Regex(ValueRegex::parse(text).unwrap())
}

pub(crate) fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

pub(crate) fn router(routes: Vec<Route>) -> Router {
    Router::build(routes.into_iter().map(|r| r.0).collect()).unwrap()
}

/// A request: `GET host/path?query`.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) listener: u16,
    pub(crate) method: Method,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
}

pub(crate) fn request(line: &str) -> Request {
    let (name, target) = line.split_once(' ').unwrap();
    let (target, query) = match target.split_once('?') {
        Some((target, query)) => (target, Some(query.to_owned())),
        None => (target, None),
    };
    let slash = target.find('/').unwrap_or(target.len());
    Request {
        listener: 0,
        method: method(name),
        host: target[..slash].to_owned(),
        path: target[slash..].to_owned(),
        query,
        headers: HeaderMap::new(),
    }
}

impl Request {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn listener(mut self, listener: u16) -> Self {
        self.listener = listener;
        self
    }

    pub(crate) fn as_query(&self) -> Query<'_> {
        Query {
            listener: self.listener,
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            method: &self.method,
            headers: &self.headers,
        }
    }
}

/// The answer as text: `name`, `name x=1 y=2`, `405 GET, HEAD`, `404`.
pub(crate) fn answer(router: &Router, request: &Request) -> String {
    match router.find(&request.as_query()) {
        Outcome::Matched { route, params } => {
            let mut text = router.name(route).unwrap().to_string();
            for (name, value) in params.iter(router, &request.path) {
                text += &format!(" {name}={value}");
            }
            text
        }
        Outcome::MethodNotAllowed { allow } => format!("405 {allow}"),
        Outcome::NotFound => "404".to_owned(),
    }
}

/// Holds a table of requests to their answers.
pub(crate) fn expect(router: &Router, table: &[(&str, &str)]) {
    for (line, wanted) in table {
        assert_eq!(answer(router, &request(line)), *wanted, "{line}");
    }
}
