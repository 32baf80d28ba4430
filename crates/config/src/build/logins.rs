//! Logins that could begin and never end: nothing takes the provider's answers.

use http::{HeaderMap, Method, Uri};
use lintel_router::{Outcome, Query, Router};

use crate::{
    diagnostic::{Diagnostic, code},
    loaded::Loaded,
    model::{Model, Route},
    text::Name,
};

/// Warns of each `redirect_uri` that leads to no route with the policy.
pub(super) fn warnings(loaded: &Loaded, router: &Router) -> Vec<Diagnostic> {
    let model = &loaded.model;
    let mut seen: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    let routes = model.routes.iter();
    let all = routes.filter_map(|(name, route)| redirect(model, name, route));
    for (uri, mut path) in all {
        if seen.contains(&uri) {
            continue;
        }
        seen.push(uri);
        if is_taken(loaded, router, uri) {
            continue;
        }
        path.extend(["oidc", "redirect_uri"]);
        let shown = loaded.shown(&path, uri);
        let text = format!("no login ends: {shown} leads to no route with the policy `oidc`");
        found.push(
            Diagnostic::warning(code::NO_EFFECT, text)
                .at(loaded.locate(&path), "the provider sends browsers here")
                .help("put its path below that of the route, or give the path a route with the same policy")
                .path(path.join(".")),
        );
    }
    found
}

/// Where browsers come back to for a route, and where it is said.
fn redirect<'a>(
    model: &'a Model,
    name: &'a Name,
    route: &'a Route,
) -> Option<(&'a str, Vec<&'a str>)> {
    let mut places = model.policies_of(name, route).into_iter();
    let (place, setting) =
        places.find_map(|(place, policies)| Some((place, policies.oidc.as_ref()?)))?;
    Some((&setting.on()?.redirect_uri, place))
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
        let route = model.routes.iter().nth(route);
        route.is_some_and(|(name, route)| redirect(model, name, route).is_some())
    })
}
