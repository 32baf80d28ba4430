//! Logins that could begin and never end: nothing takes the provider's answers.

use http::{HeaderMap, Method, Uri};
use lintel_policies::{RoutePolicies, Setting};
use lintel_router::{Outcome, Query, Router};

use crate::{
    diagnostic::{Diagnostic, code},
    loaded::Loaded,
};

/// Warns of each `redirect_uri` that leads to no route with the policy.
pub(super) fn warnings(loaded: &Loaded, router: &Router) -> Vec<Diagnostic> {
    let model = &loaded.model;
    let inherited = &model.defaults.policies;
    let mut seen: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    let routes = model.routes.iter();
    let all =
        routes.filter_map(|(name, route)| Some((name, redirect(&route.policies, inherited)?)));
    for (name, (uri, own)) in all {
        if seen.contains(&uri) {
            continue;
        }
        seen.push(uri);
        if is_taken(loaded, router, uri) {
            continue;
        }
        let path: &[&str] = match own {
            true => &["routes", name.as_str(), "policies", "oidc", "redirect_uri"],
            false => &["defaults", "policies", "oidc", "redirect_uri"],
        };
        let shown = loaded.shown(path, uri);
        let text = format!("no login ends: {shown} leads to no route with the policy `oidc`");
        found.push(
            Diagnostic::warning(code::NO_EFFECT, text)
                .at(loaded.locate(path), "the provider sends browsers here")
                .help("put its path below that of the route, or give the path a route with the same policy")
                .path(path.join(".")),
        );
    }
    found
}

/// Where browsers come back to for a route, and whether the route itself says so.
fn redirect<'a>(own: &'a RoutePolicies, inherited: &'a RoutePolicies) -> Option<(&'a str, bool)> {
    let (setting, is_own) = match &own.oidc {
        Some(own) => (own, true),
        None => (inherited.oidc.as_ref()?, false),
    };
    Some((&setting.on()?.redirect_uri, is_own))
}

/// Whether a listener leads this to a route with the policy.
fn is_taken(loaded: &Loaded, router: &Router, uri: &str) -> bool {
    let Ok(uri) = uri.parse::<Uri>() else {
        return true;
    };
    let model = &loaded.model;
    let (host, headers) = (
        uri.host().unwrap_or("").to_ascii_lowercase(),
        HeaderMap::new(),
    );
    (0..model.listeners.len()).any(|listener| {
        let outcome = router.find(&Query {
            listener: u16::try_from(listener).unwrap_or(u16::MAX),
            host: &host,
            path: uri.path(),
            query: Some("code=c&state=s"),
            method: &Method::GET,
            headers: &headers,
        });
        let Outcome::Matched { route, .. } = outcome else {
            return false;
        };
        let route = model.routes.values().nth(route);
        route.is_some_and(|route| match &route.policies.oidc {
            Some(own) => matches!(own, Setting::On(_)),
            None => matches!(model.defaults.policies.oidc, Some(Setting::On(_))),
        })
    })
}
