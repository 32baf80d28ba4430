use lintel_kernel::{Duration, config};

use super::{
    Admin, ConsumerConfig, Defaults, ErrorPage, Expectation, Listener, Log, Named, Overload, Plan,
    RateLimits, Replicas, Revocations, Route, Service, State, Store, Table, Tracing,
};
use crate::text::StatusPattern;

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

    /// The zone that this gateway runs in, such as `${env.ZONE}`. Endpoints of the same zone are
    /// preferred.
    #[serde(default)]
    #[schemars(length(min = 1), example = &"eu-1a")]
    pub zone: Option<String>,

    /// Where clients connect, by name.
    #[schemars(extend("minProperties" = 1))]
    pub listeners: Named<Listener>,

    /// The admin API: health, metrics, what is configured, reload. Without this section there is
    /// none.
    #[serde(default)]
    pub admin: Option<Admin>,

    /// Stores that replicas share, by name. Limits may be counted in one.
    #[serde(default)]
    pub stores: Named<Store>,

    /// Who may call, by name: what they prove themselves with, the plan they are on, the groups they
    /// are in. Which proofs a route takes is up to its policies.
    #[serde(default)]
    pub consumers: Named<ConsumerConfig>,

    /// Plans that consumers are on, by name.
    #[serde(default)]
    pub plans: Named<Plan>,

    /// What holds for all limits of rates together.
    #[serde(default)]
    pub rate_limits: RateLimits,

    /// Credentials that are taken back before they end.
    #[serde(default)]
    pub revocations: Revocations,

    /// What is kept over a restart, and where.
    #[serde(default)]
    pub state: State,

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

    /// When requests are refused because the gateway itself is short of something.
    #[serde(default)]
    pub overload: Overload,

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

    /// How many replicas of this gateway run side by side: a number, or where they count
    /// themselves. `check` points out limits that each of them counts for itself; limits
    /// `across_replicas` are divided by it, and limits with a `store` while that does not answer.
    #[serde(default)]
    pub replicas: Replicas,

    /// Requests and what should become of them. `lintel test` builds the whole gateway from this
    /// configuration, with one difference: every service is a stand-in inside the process, so that
    /// nothing real is touched. Requests go through HTTP parsing, limits, routing and all policies,
    /// one after the other, in the order written. Certificates and keys are neither needed nor read;
    /// access logs are not written, and nothing is mirrored.
    #[serde(default)]
    pub tests: Vec<Expectation>,
}

const fn drain_timeout() -> Duration {
    Duration::from_secs(30)
}
