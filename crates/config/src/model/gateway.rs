use lintel_kernel::{Duration, config};

use super::{
    Admin, ConsumerConfig, Defaults, Directory, ErrorPage, Expectation, Group, Listener, Log,
    Named, Overload, Plan, RateLimits, Replicas, Revocations, Route, RoutePolicies, Service, State,
    Store, Table, Tracing,
};
use crate::text::{Name, StatusPattern};

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

    /// Consumers and plans from outside the configuration, which change without a reload.
    #[serde(default)]
    pub directory: Directory,

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

    /// Routes that belong together, with hosts, defaults, limits and error pages of their own; each
    /// may be in a file of its own.
    #[serde(default)]
    pub groups: Named<Group>,

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

impl Model {
    /// The group of a route.
    pub fn group(&self, route: &Route) -> Option<&Group> {
        self.groups.get(route.group.as_ref()?)
    }

    /// The timeout of a route: its own, that of its group, or the default.
    pub fn timeout(&self, route: &Route) -> Duration {
        let group = self.group(route).and_then(|group| group.defaults.timeout);
        let inherited = group.or(self.defaults.timeout);
        route.timeout.or(inherited).unwrap_or(Defaults::TIMEOUT)
    }

    /// The policies of a route: its own over what it inherits.
    pub fn policies(&self, route: &Route) -> RoutePolicies {
        route.policies.merged(&self.inherited(route))
    }

    /// What a route inherits: the policies of its group over the defaults.
    pub fn inherited(&self, route: &Route) -> RoutePolicies {
        // A step of its own even without a group: what adds up knows from how far up it comes.
        let none = RoutePolicies::default();
        let group = self.group(route);
        let group = group.map_or(&none, |group| &group.defaults.policies);
        group.merged(&self.defaults.policies)
    }

    /// Everywhere that policies of routes are written, with the place.
    pub fn policy_places(&self) -> Vec<(Vec<&str>, &RoutePolicies)> {
        let groups = self.groups.iter();
        let groups = groups.map(|(name, group)| of_group(name, group));
        let routes = self.routes.iter();
        let routes = routes.map(|(name, route)| of_route(name, route));
        [of_defaults(self)]
            .into_iter()
            .chain(groups)
            .chain(routes)
            .collect()
    }

    /// Where the policies of a route may be written, with the place; what comes first wins.
    pub fn policies_of<'a>(
        &'a self,
        name: &'a Name,
        route: &'a Route,
    ) -> Vec<(Vec<&'a str>, &'a RoutePolicies)> {
        let group = route.group.as_ref();
        let group = group.and_then(|name| Some(of_group(name, self.groups.get(name)?)));
        let own = [of_route(name, route)].into_iter();
        own.chain(group).chain([of_defaults(self)]).collect()
    }

    /// Lets routes have the hosts and listeners of their groups where they name none.
    pub(crate) fn inherit(&mut self) {
        let Self { routes, groups, .. } = self;
        for route in routes.values_mut() {
            let Some(group) = route.group.as_ref().and_then(|name| groups.get(name)) else {
                continue;
            };
            let matches = &mut route.matches;
            matches.host = matches.host.take().or_else(|| group.host.clone());
            let listeners = matches.listeners.take();
            matches.listeners = listeners.or_else(|| group.listeners.clone());
        }
    }
}

fn of_defaults(model: &Model) -> (Vec<&str>, &RoutePolicies) {
    (vec!["defaults", "policies"], &model.defaults.policies)
}

fn of_group<'a>(name: &'a Name, group: &'a Group) -> (Vec<&'a str>, &'a RoutePolicies) {
    let place = vec!["groups", name.as_str(), "defaults", "policies"];
    (place, &group.defaults.policies)
}

fn of_route<'a>(name: &'a Name, route: &'a Route) -> (Vec<&'a str>, &'a RoutePolicies) {
    (vec!["routes", name.as_str(), "policies"], &route.policies)
}

const fn drain_timeout() -> Duration {
    Duration::from_secs(30)
}
