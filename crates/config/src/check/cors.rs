//! Pages of other origins: routes that can't hear them ask.

use http::Method;
use lintel_policies::Setting;

use super::Check;
use crate::{
    diagnostic::code,
    model::{Match, Route},
};

/// Browsers ask by `OPTIONS` before they send most requests; a route that does not take it never hears
/// them.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    let all = model.routes.iter();
    let (hearing, deaf): (Vec<_>, Vec<_>) = all
        .filter(|(_, route)| answers(check, route))
        .partition(|(_, route)| hears(&route.matches));
    for (name, route) in deaf {
        let heard = hearing
            .iter()
            .any(|(_, other)| covers(&other.matches, &route.matches));
        if heard {
            continue;
        }
        let path = ["routes", name.as_str(), "match", "methods"];
        let mut diagnostic = check
            .warning(
                code::NO_EFFECT,
                &path,
                "browsers ask by `OPTIONS` before they send most requests, and get 405",
            )
            .at(check.loaded.locate(&path), "without `OPTIONS`");
        let places = model.policies_of(name, route).into_iter();
        let mut places = places.map(|(place, _)| [place, vec!["cors"]].concat());
        if let Some(cors) = places.find(|cors| check.loaded.tree.find(cors).is_some()) {
            diagnostic = diagnostic.also(check.loaded.locate_key(&cors), "would answer them");
        }
        check
            .push(diagnostic.help(
                "add `OPTIONS` to `methods`: `cors` answers it, the service does not see it",
            ));
    }
}

fn answers(check: &Check<'_>, route: &Route) -> bool {
    let inherited = check.loaded.model.inherited(route);
    let own = route.policies.cors.as_ref().or(inherited.cors.as_ref());
    own.and_then(Setting::on).is_some()
}

fn hears(matches: &Match) -> bool {
    let methods = matches.methods();
    methods.is_empty() || methods.iter().any(|method| method.0 == Method::OPTIONS)
}

/// Whether one takes all paths of another, as far as they are written alike.
fn covers(one: &Match, other: &Match) -> bool {
    let (wide, narrow) = (one.paths(), other.paths());
    let takes = |path: &String| {
        wide.iter()
            .any(|own| own.to_string() == *path || own.to_string() == "/*")
    };
    wide.is_empty() || narrow.iter().all(|path| takes(&path.to_string()))
}
