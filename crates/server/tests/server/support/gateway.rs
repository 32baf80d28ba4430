//! A server with a route to an origin, and one that it answers itself.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode};
use lintel_http::{
    forwarded::{ForwardRules, Mode},
    path::PathRules,
};
use lintel_kernel::expr::Template;
use lintel_policies::Chain;
use lintel_proxy::snapshot::{
    Action, ErrorPages, Escape, ListenerRules, Page, Peers, Route, Snapshot,
};
use lintel_router::{PathPattern, RouteSpec, Router};
use lintel_server::{Bind, Generation, ListenerSpec, PublishError, Server, Settings};
use lintel_telemetry::Catalogue;
use lintel_upstream::{
    Service,
    service::{EndpointSpec, ServiceSpec},
};

use super::{Client, wait_for};

/// A running server.
pub(crate) struct Gateway {
    pub(crate) server: Server,
    pub(crate) catalogue: Arc<Catalogue>,
}

/// A bind to a free port of loopback.
pub(crate) fn tcp() -> Bind {
    Bind::Tcp("127.0.0.1:0".parse().unwrap())
}

/// A plaintext listener on a free port.
pub(crate) fn spec(name: &str) -> ListenerSpec {
    ListenerSpec::new(vec![tcp()], rules(name))
}

pub(crate) fn rules(name: &str) -> Arc<ListenerRules> {
    Arc::new(ListenerRules {
        name: name.into(),
        path: PathRules::default(),
        forward: ForwardRules {
            trusted: Vec::new(),
            x_forwarded: Mode::Append,
            forwarded: Mode::Off,
            via: None,
        },
        request_id: HeaderName::from_static("x-request-id"),
        accept_request_id: false,
        accept_trace: Peers::Nobody,
        accept_deadline: Peers::Anyone,
        server: None,
        trace_sample: 0.0,
        max_body: 1 << 30,
        tunnel_idle: Duration::from_secs(600),
    })
}

/// A configuration with the given listeners: `/own` is answered with `own`, everything else by the
/// origin.
pub(crate) fn generation(
    number: u64,
    own: &str,
    origin: SocketAddr,
    listeners: &[Arc<ListenerSpec>],
) -> Generation {
    let mut path = RouteSpec::new("own");
    path.paths = vec![PathPattern::parse("/own").unwrap()];
    let router = Router::build(vec![path, RouteSpec::new("all")]).unwrap();
    let service = ServiceSpec::new("origin", vec![EndpointSpec::http(origin)]);
    let service = Service::build(service, None).unwrap();
    let route = |name: &str, action| Route {
        name: name.into(),
        group: None,
        chain: Chain::default(),
        action,
        timeout: Duration::from_secs(60),
        priority: Default::default(),
        fallback: None,
        mirror: None,
        terms: Default::default(),
    };
    let page = Page {
        status: StatusCode::OK,
        content_type: HeaderValue::from_static("text/plain"),
        body: Template::literal_text(own),
        escape: Escape::Plain,
        headers: Vec::new(),
    };
    let rules = listeners
        .iter()
        .map(|listener| (listener.id, Arc::clone(&listener.rules)));
    let snapshot = Arc::new(Snapshot {
        generation: number,
        router,
        routes: vec![
            route("own", Action::Respond(page)),
            route("all", Action::Service(0)),
        ],
        services: vec![service],
        listeners: rules.into_iter().collect(),
        errors: ErrorPages::default(),
        groups: Vec::new(),
        overload: None,
        unmatched: Chain::default(),
    });
    Generation {
        snapshot,
        listeners: listeners.to_vec(),
    }
}

impl Gateway {
    /// Two workers and the given listeners.
    pub(crate) fn start(origin: SocketAddr, listeners: Vec<ListenerSpec>) -> Self {
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        Self::with(
            Settings::default(),
            generation(1, "one", origin, &listeners),
        )
    }

    pub(crate) fn with(settings: Settings, first: Generation) -> Self {
        let catalogue = Catalogue::new();
        let settings = Settings {
            workers: NonZeroUsize::new(2).unwrap(),
            drain_grace: Duration::from_millis(500),
            ..settings
        };
        let server = Server::start(settings, first, &catalogue).unwrap();
        Self { server, catalogue }
    }

    pub(crate) fn publish(&self, next: &Generation) -> Result<(), PublishError> {
        let applied = self.server.publish(next)?;
        assert_eq!(applied.late, 0);
        Ok(())
    }

    /// Where a listener listens.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        let addresses = self.server.addresses();
        let found = addresses.iter().find(|(name, _)| **name == *listener);
        found.expect("no such listener").1
    }

    /// A connection to a listener.
    pub(crate) fn connect(&self, listener: &str) -> Client {
        Client::connect(self.address(listener))
    }

    /// The sum of all series of a metric whose labels contain the given text.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let mut text = Vec::new();
        self.catalogue.render(&mut text, false);
        let text = String::from_utf8(text).unwrap();
        let value = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let this = series.starts_with(&format!("{name}{{")) || series == name;
            (this && series.contains(labels)).then(|| value.parse::<f64>().unwrap())
        };
        text.lines().filter_map(value).sum()
    }

    /// Waits until a metric has this value: what is counted at the end of a connection may be counted
    /// after its client has seen the end.
    pub(crate) fn await_metric(&self, name: &str, labels: &str, value: f64) {
        wait_for(&format!("{name}{{{labels}}} = {value}"), || {
            self.metric(name, labels) == value
        });
    }

    /// Client connections that the workers know of.
    pub(crate) fn connections(&self) -> usize {
        let status = self.server.status();
        assert!(status.iter().all(|worker| worker.responsive));
        status.iter().map(|worker| worker.connections).sum()
    }
}
