//! The configuration as types: one file a section.
//!
//! These types are the language. Their doc comments are the reference documentation and the JSON
//! Schema; what they accept is what the gateway accepts. A [`Model`] that comes out of
//! [`load`](crate::load) has passed every check, so code that builds from it need not check again.

mod action;
mod admin;
mod expectation;
mod limits;
mod listener;
mod route;
mod service;
mod table;
mod tls;

use lintel_kernel::{ByteSize, Duration, Share, config};
use serde::Serialize;

pub use action::{Action, Redirect, Respond, Split, To, ToService, Weight};
pub use admin::{Admin, RedisStore, Store};
pub use expectation::{Expectation, ExpectedAnswer, SampleRequest};
pub use limits::{BodyLimit, Http2Limits, Limits, Unlimited};
pub use lintel_policies::RoutePolicies;
pub use listener::{
    Check, DotSegments, EncodedSlash, ForwardMode, Forwarding, HalfClose, Listener, PathMode,
    PathRules, Protocol, ProxyProtocol, RequestIdRules,
};
pub use route::{Match, Route, ValueCondition, ValueTest};
pub use service::{
    AddressFamily, Balance, Breaker, KeepAlive, Resolve, Service, ServiceProtocol, ServiceTimeout,
    Target, TimeoutSetting, WeightedEndpoint,
};
pub use table::{Named, OneOrMany, Table};
pub use tls::{Certificate, ClientAuth, ClientAuthMode, ListenerTls, TlsVersion, UpstreamTls};

use crate::text::{LogTarget, StatusPattern, TemplateText};

/// The configuration of a gateway.
#[config]
pub struct Model {
    /// The version of the configuration language. This gateway speaks version 1.
    #[schemars(range(min = 1, max = 1), example = 1)]
    pub version: u8,

    /// How many worker threads carry traffic. Each has a core for itself. Default: one for each
    /// core the process may use.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u16>,

    /// Where clients connect, by name.
    #[schemars(extend("minProperties" = 1))]
    pub listeners: Named<Listener>,

    /// The admin API: health, metrics, what is configured, reload. Without this section there is
    /// none.
    #[serde(default)]
    pub admin: Option<Admin>,

    /// Stores that replicas share, by name. Reserved: no policy of this version uses one.
    #[serde(default)]
    pub stores: Named<Store>,

    /// What every route inherits. A route's own key replaces the default of the same name.
    #[serde(default)]
    pub defaults: Defaults,

    /// What requests are sent to, by name.
    #[serde(default)]
    pub services: Named<Service>,

    /// Which request goes where, by name. The order in which routes are written means nothing: the
    /// most specific match wins.
    #[serde(default)]
    pub routes: Named<Route>,

    /// Bodies of the answers that the gateway itself makes when it refuses or fails, by status.
    /// An exact status beats a class, a class beats `default`. Without an entry the answer is
    /// `application/problem+json` (RFC 9457). Callers that speak gRPC get `grpc-status` either way.
    #[serde(default)]
    pub errors: Table<StatusPattern, ErrorPage>,

    /// How long requests in flight may take to finish once the gateway is told to stop; after that
    /// their connections are closed.
    #[serde(default = "drain_timeout")]
    pub drain_timeout: Duration,

    /// The gateway's own log: starts, reloads, failures. Not the access log, which is a policy.
    #[serde(default)]
    pub log: Log,

    /// W3C trace context.
    #[serde(default)]
    pub tracing: Tracing,

    /// How many replicas of this gateway run side by side. Only `check` uses it: to point out
    /// limits that every replica would count on its own.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 1))]
    pub replicas: u32,

    /// Requests and what should become of them; run by `lintel test`.
    #[serde(default)]
    pub tests: Vec<Expectation>,
}

const fn drain_timeout() -> Duration {
    Duration::from_secs(30)
}

const fn one_replica() -> u32 {
    1
}

/// What every route inherits.
#[config]
#[derive(Default)]
pub struct Defaults {
    /// How long a route's requests may take until the head of the answer has arrived. Default
    /// `30s`.
    #[serde(default)]
    pub timeout: Option<Duration>,

    /// Policies of every route. A route that names the same policy replaces it as a whole, or
    /// switches it off.
    #[serde(default)]
    pub policies: RoutePolicies,
}

impl Defaults {
    /// The timeout of a route that neither has its own nor inherits one.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

/// The body of an answer that the gateway itself makes.
#[config]
pub struct ErrorPage {
    /// The media type of the body.
    #[serde(default = "error_type")]
    pub content_type: crate::text::FieldValue,

    /// The body, with `${…}`. Useful here: `response.status`, `error.code`, `error.detail` and
    /// `request.id`. In JSON and HTML bodies values are escaped.
    #[schemars(example = &"<h1>${response.status}</h1><p>${error.detail}</p>")]
    pub body: TemplateText,
}

#[expect(
    clippy::expect_used,
    reason = "a constant that parses; a test reads it"
)]
fn error_type() -> crate::text::FieldValue {
    "text/html; charset=utf-8"
        .parse()
        .expect("a valid field value")
}

/// The gateway's own log.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Log {
    /// The least severe level that is written. Can be changed while the gateway runs.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
    /// Where lines go.
    pub to: LogTarget,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Human,
            to: LogTarget::Stderr,
        }
    }
}

/// How much is logged.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum LogLevel {
    /// Only what needs a person.
    Error,
    /// Also what may need one.
    Warn,
    /// Also what changed: starts, reloads, endpoints.
    Info,
    /// Also what helps to find a mistake in the configuration.
    Debug,
    /// Everything; slow.
    Trace,
}

/// How a line of the log looks.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line for human eyes.
    Human,
}

/// W3C trace context (`traceparent`, `tracestate`). It is always passed on.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Tracing {
    /// Whose trace context is continued; for anybody else a new trace begins.
    pub accept_from: Peers,
    /// The share of traces beginning here that are marked as sampled. A continued trace keeps its
    /// mark.
    pub sample: Share,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            accept_from: Peers::Anyone,
            sample: Share::percent(100),
        }
    }
}

/// A group of peers.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum Peers {
    /// Every client.
    Anyone,
    /// Addresses in the listener's `trusted_proxies`.
    Trusted,
    /// Nobody.
    Nobody,
}

/// Sizes that settings are held to, so that one mistake can't take the machine down.
pub(crate) const LARGEST_HEAD: ByteSize = ByteSize::bytes(1 << 20);
/// The least room for a request head that clients get along with.
pub(crate) const SMALLEST_HEAD: ByteSize = ByteSize::bytes(1 << 10);
