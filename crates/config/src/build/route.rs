//! Routes.

mod beside;
mod coalesced;
mod compose;
mod grpc;
mod overload;
mod rpc;
mod split;

use std::sync::Arc;

use http::HeaderName;
use lintel_kernel::Fault;
use lintel_policies::{Chain, Context, RoutePolicies, Setting, quota};
use lintel_proxy::snapshot::{Action, Route, Terms};
use lintel_router::{RouteSpec, ValueMatch};
use lintel_server::listener_id;
use lintel_upstream::guard::{GuardSpec, Guarded};

pub(crate) use compose::{circular, names as leg_names, waits};
pub(crate) use grpc::{Wrong, transcoder};
pub(super) use grpc::{grpc_of, transcoder_of};
pub(super) use overload::overload;
pub(crate) use rpc::misfits;

use super::{
    Builder,
    group::Groups,
    page,
    service::{guard, retry},
};
use crate::model::{self, Model, To};

pub(super) fn build(builder: &mut Builder<'_>, groups: &Groups<'_>) -> Vec<Route> {
    let loaded = builder.loaded;
    let model = &loaded.model;
    let shared = builder.context.clone();
    let faults = Chain::faults(&model.defaults.policies, None, &shared);
    if !faults.is_empty() {
        builder.faults(&["defaults", "policies"], faults);
        return Vec::new();
    }
    let mut routes = Vec::with_capacity(model.routes.len());
    for (name, route) in &model.routes {
        let group = route.group.as_ref().map(|group| groups.get(group).cloned());
        if group.as_ref().is_some_and(Option::is_none) {
            continue;
        }
        let policies = policies(model, route, &shared);
        let context = Context {
            route: Some(name.as_str().into()),
            group: route.group.as_ref().map(|group| group.as_str().into()),
            params: Some(route.params()),
            targets: Some(route.targets()),
            priority: overload::priority(route.priority),
            ..shared.clone()
        };
        let base = ["routes", name.as_str()];
        let chain = Chain::build(&policies, &context);
        let find = |name: &str| find(builder, name);
        let fallback = route.fallback.as_deref();
        let fallback = fallback.map(|fallback| beside::fallback(fallback, find));
        let mirror = route.mirror.as_deref();
        let mirror = mirror.map(|mirror| beside::mirror(mirror, find));
        let action = action(builder, name.as_str(), &route.to);
        match (chain, action, fallback.transpose(), mirror.transpose()) {
            (Ok(chain), Ok(action), Ok(fallback), Ok(mirror)) => routes.push(Route {
                name: name.as_str().into(),
                chain,
                action,
                group: group.flatten(),
                timeout: model.timeout(route).to_std(),
                priority: overload::priority(route.priority),
                fallback,
                mirror,
                terms: Terms {
                    retry: route.retry.as_ref().map(retry),
                    guard: guarded(builder, name.as_str(), route),
                },
            }),
            (chain, action, fallback, mirror) => {
                let mut faults = |key: &str, found: Vec<Fault>| {
                    builder.faults(&[base[0], base[1], key], found);
                };
                faults("policies", chain.err().unwrap_or_default());
                faults("to", action.err().into_iter().collect());
                faults("fallback", fallback.err().into_iter().collect());
                faults("mirror", mirror.err().into_iter().collect());
            }
        }
    }
    routes
}

/// The policies of a route. Consumers and plans bring limits of theirs along.
fn policies(model: &Model, route: &model::Route, shared: &Context) -> RoutePolicies {
    let mut policies = model.policies(route);
    if policies.rate_limit.is_none() && (shared.outside.is_some() || !shared.callers.is_empty()) {
        policies.rate_limit = Some(Setting::On(Vec::new()));
    }
    if policies.quota.is_none() && (shared.outside.is_some() || !shared.quotas.is_empty()) {
        policies.quota = Some(Setting::On(quota::Config::Many(Vec::new())));
    }
    policies
}

/// The default policies that observe, for requests that match no route.
pub(super) fn unmatched(builder: &mut Builder<'_>) -> Chain {
    let observing = builder.loaded.model.defaults.policies.observing();
    match Chain::build(&observing, &builder.context) {
        Ok(chain) => chain,
        Err(faults) => {
            builder.faults(&["defaults", "policies"], faults);
            Chain::default()
        }
    }
}

/// What the router needs, in the order of the routes.
pub(super) fn specs(model: &Model) -> Vec<RouteSpec> {
    let routes = model.routes.iter();
    routes
        .map(|(name, route)| {
            let matches = &route.matches;
            RouteSpec {
                name: Arc::from(name.as_str()),
                hosts: matches
                    .hosts()
                    .iter()
                    .map(|host| host.pattern().clone())
                    .collect(),
                paths: matches
                    .paths()
                    .iter()
                    .map(|path| path.pattern().clone())
                    .collect(),
                methods: matches
                    .methods()
                    .iter()
                    .map(|method| method.0.clone())
                    .collect(),
                headers: headers(matches),
                query: matches
                    .query
                    .iter()
                    .map(|(name, test)| (name.clone(), test.value_match()))
                    .collect(),
                listeners: matches
                    .listeners()
                    .iter()
                    .map(|name| listener_id(name.as_str()))
                    .collect(),
            }
        })
        .collect()
}

fn headers(matches: &model::Match) -> Vec<(HeaderName, ValueMatch)> {
    let conditions = matches.headers.iter();
    conditions
        .map(|(name, condition)| (name.0.clone(), condition.value_match()))
        .collect()
}

/// The index of a service.
fn find(builder: &Builder<'_>, name: &str) -> Result<usize, Fault> {
    let index = builder.service_index.get(name).copied();
    index.ok_or_else(|| Fault::new(format!("there is no service `{name}`")))
}

fn action(builder: &Builder<'_>, route: &str, to: &To) -> Result<Action, Fault> {
    let find = |name: &str| find(builder, name);
    Ok(match to {
        To::Service(name) => Action::Service(find(name.as_str())?),
        To::Action(model::Action::Service(name)) => Action::Service(find(name.as_str())?),
        To::Action(model::Action::Split(split)) => {
            let split = split::split(route, split, find);
            Action::Split(Box::new(split.map_err(|fault| fault.under("split"))?))
        }
        To::Action(model::Action::Grpc(to)) => {
            let service =
                find(to.service.as_str()).map_err(|fault| fault.under("service").under("grpc"))?;
            Action::Grpc(grpc::build(builder.loaded, route, to, service)?)
        }
        To::Action(model::Action::Compose(to)) => {
            let before = before(builder, route).and_then(|route| match &route.action {
                Action::Compose(compose) => Some(&**compose),
                _ => None,
            });
            let compose = compose::build(builder.loaded, to, before, find);
            Action::Compose(Box::new(compose.map_err(|fault| fault.under("compose"))?))
        }
        To::Action(model::Action::Respond(respond)) => {
            Action::Respond(page::respond(respond).map_err(|fault| fault.under("respond"))?)
        }
        To::Action(model::Action::Redirect(redirect)) => {
            Action::Redirect(page::redirect(redirect).map_err(|fault| fault.under("redirect"))?)
        }
    })
}

/// The route's own limits and breaker; their state is taken over from the configuration before.
fn guarded(builder: &Builder<'_>, name: &str, route: &model::Route) -> Option<Arc<Guarded>> {
    let breaker = route.breaker.as_ref().map(guard);
    if breaker.is_none() && route.max_concurrent.is_none() {
        return None;
    }
    let spec = GuardSpec {
        requests: route.max_concurrent,
        ..breaker.unwrap_or_default()
    };
    let before = before(builder, name).and_then(|route| route.terms.guard.as_ref());
    Some(Guarded::build(&name.into(), spec, before))
}

/// The route of this name in the configuration before.
fn before<'b>(builder: &Builder<'b>, name: &str) -> Option<&'b Route> {
    let routes = &builder.previous?.generation.snapshot.routes;
    routes.iter().find(|route| &*route.name == name)
}
