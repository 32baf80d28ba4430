//! One valid configuration, compiled: what a request runs on from beginning to end.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};
use lintel_http::{forwarded::ForwardRules, path::PathRules};
use lintel_kernel::expr::Template;
use lintel_policies::Chain;
use lintel_router::{HostPattern, Router};
use lintel_upstream::{Retry, Service, guard::Guarded};
use rustc_hash::FxHashMap;

use crate::{
    compose::Compose,
    fallback::Fallback,
    grpc::Calls,
    mirror::Mirror,
    shed::{Overload, Priority},
    split::Split,
};

/// An immutable, compiled configuration, shared by all workers.
pub struct Snapshot {
    /// Counts up with every accepted configuration.
    pub generation: u64,
    /// Finds the route of a request; its indices are those of `routes`.
    pub router: Router,
    /// All routes.
    pub routes: Vec<Route>,
    /// All services; indices are those in [`Action`].
    pub services: Vec<Arc<Service>>,
    /// Rules of each listener, by its process-wide id.
    pub listeners: FxHashMap<u16, Arc<ListenerRules>>,
    /// How refusals look.
    pub errors: ErrorPages,
    /// Groups of routes.
    pub groups: Vec<Arc<Group>>,
    /// When requests are refused for want of something; without it, never.
    pub overload: Option<Overload>,
    /// What observes requests that matched no route: the default access log.
    pub unmatched: Chain,
}

/// One route.
pub struct Route {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The group that it belongs to.
    pub group: Option<Arc<Group>>,
    /// Its policies.
    pub chain: Chain,
    /// What is done with a request that passed them.
    pub action: Action,
    /// From the complete request head to the head of the answer.
    pub timeout: Duration,
    /// How important its requests are when the gateway is overloaded.
    pub priority: Priority,
    /// What is answered when the service can't.
    pub fallback: Option<Box<Fallback>>,
    /// Who else gets its requests.
    pub mirror: Option<Box<Mirror>>,
    /// What it asks of a service beyond what the service says itself.
    pub terms: Terms,
}

/// Routes that belong together.
pub struct Group {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Who answers for its routes.
    pub owner: Option<Box<str>>,
    /// The hosts that are its own. None: it says nothing of hosts.
    pub hosts: Vec<HostPattern>,
    /// The listeners that are its own, by their process-wide ids. None: it says nothing of listeners.
    pub listeners: Vec<u16>,
    /// How refusals look, where not as everywhere.
    pub errors: ErrorPages,
}

/// What a route asks of the services that it sends requests to.
#[derive(Default)]
pub struct Terms {
    /// When a request is tried again, in place of the service's own rules.
    pub retry: Option<Retry>,
    /// Its own limits and breaker, beside those of the services.
    pub guard: Option<Arc<Guarded>>,
}

/// What a route does.
pub enum Action {
    /// Forwards to a service.
    Service(usize),
    /// Forwards to one of several services, each with its share.
    Split(Box<Split>),
    /// Makes a call of a gRPC service of a request, and JSON of what comes back.
    Grpc(Arc<Calls>),
    /// Makes one answer of several calls.
    Compose(Box<Compose>),
    /// Answers by itself.
    Respond(Page),
    /// Sends the client elsewhere.
    Redirect(Redirect),
}

/// An answer made here.
pub struct Page {
    /// Its status.
    pub status: StatusCode,
    /// Its `Content-Type`.
    pub content_type: HeaderValue,
    /// Its body.
    pub body: Template,
    /// How interpolated values are made safe for the content type.
    pub escape: Escape,
    /// Further fields. One whose value is absent is left out.
    pub headers: Vec<(HeaderName, Template)>,
}

/// How a value is made safe inside a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    Plain,
    /// As the inside of a JSON string.
    Json,
    /// As HTML text.
    Html,
}

/// A redirection.
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// The `Location`.
    pub to: Template,
    /// Its `Cache-Control`.
    pub cache_control: Option<HeaderValue>,
}

/// Overrides for the answers to refused requests.
#[derive(Default)]
pub struct ErrorPages {
    /// By status.
    pub by_status: HashMap<StatusCode, Page>,
    /// By the first digit of the status.
    pub by_class: HashMap<u16, Page>,
    /// For every other status.
    pub any: Option<Page>,
}

/// What a listener demands of requests, and tells upstreams of them.
pub struct ListenerRules {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The path contract.
    pub path: PathRules,
    /// Forwarding fields and trusted proxies.
    pub forward: ForwardRules,
    /// The field that carries the request's id, upstream and back.
    pub request_id: HeaderName,
    /// Whether a trusted peer's request id is kept.
    pub accept_request_id: bool,
    /// Whose trace context is continued.
    pub accept_trace: Peers,
    /// Who may say how long it waits for an answer.
    pub accept_deadline: Peers,
    /// The `Server` of every answer; without it the upstream's passes.
    pub server: Option<HeaderValue>,
    /// Share of traces that begin here and are sampled, from 0.0 to 1.0.
    pub trace_sample: f64,
    /// Largest request body, in bytes.
    pub max_body: u64,
    /// How long a tunnel (WebSocket) may be silent.
    pub tunnel_idle: Duration,
}

/// A group of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Every client.
    Anyone,
    /// Declared proxies.
    Trusted,
    /// Nobody.
    Nobody,
}

impl Group {
    /// Whether a request that no route takes is its own: by its host, or by its listener where it
    /// says nothing of hosts.
    fn would_take(&self, host: &str, listener: u16) -> bool {
        match (self.hosts.as_slice(), self.listeners.as_slice()) {
            ([], []) => false,
            ([], listeners) => listeners.contains(&listener),
            (hosts, listeners) => {
                hosts.iter().any(|pattern| pattern.takes(host))
                    && (listeners.is_empty() || listeners.contains(&listener))
            }
        }
    }
}

impl Snapshot {
    /// The group whose client sent a request that no route takes. Of several the one that names the
    /// host itself goes before one whose wildcard takes it.
    pub(crate) fn group_of(&self, host: &str, listener: u16) -> Option<&Group> {
        let named =
            |group: &&Arc<Group>| group.hosts.iter().any(|pattern| pattern.is_exactly(host));
        let mut fit = self
            .groups
            .iter()
            .filter(|group| group.would_take(host, listener));
        let first = fit.clone().next();
        fit.find(named).or(first).map(|group| &**group)
    }
}

impl ErrorPages {
    /// The page that overrides a status, if any.
    pub fn page(&self, status: StatusCode) -> Option<&Page> {
        let class = || self.by_class.get(&(status.as_u16() / 100));
        self.by_status
            .get(&status)
            .or_else(class)
            .or(self.any.as_ref())
    }
}

impl Escape {
    /// The escape that fits a media type.
    pub fn for_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        if essence == "application/json" || essence.ends_with("+json") {
            Self::Json
        } else if essence == "text/html" || essence.ends_with("xml") {
            Self::Html
        } else {
            Self::Plain
        }
    }

    /// The function that does it.
    pub fn function(self) -> fn(&str, &mut String) {
        match self {
            Self::Plain => |text, out| out.push_str(text),
            Self::Json => escape_json,
            Self::Html => escape_html,
        }
    }
}

/// Escapes a text for the inside of a JSON string (RFC 8259 §7).
pub(crate) fn escape_json(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

fn escape_html(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut out = String::new();
        escape_json("a\"\\\n", &mut out);
        escape_html("<&>", &mut out);
        assert_eq!(out, "a\\\"\\\\\\u000a&lt;&amp;&gt;");
    }
}
