//! What stands beside a route's action: its fallback and its mirror.

use super::{Check, routes};
use crate::{
    diagnostic::code,
    model::{Action, Fallback, Mirror, Route, To},
    text::{Cause, Name},
};

pub(super) fn check(check: &mut Check<'_>, name: &str, route: &Route) {
    if let Some(fallback) = &route.fallback {
        answer(check, name, fallback);
        check.positive(&["routes", name, "fallback", "timeout"], fallback.timeout);
    }
    if let Some(mirror) = &route.mirror {
        check.positive(&["routes", name, "mirror", "timeout"], mirror.timeout);
    }
}

/// A fallback answers in one way.
fn answer(check: &mut Check<'_>, name: &str, fallback: &Fallback) {
    let path = ["routes", name, "fallback"];
    if let Some(respond) = &fallback.respond {
        routes::bodies(check, ["routes", name, "fallback", "respond"], respond);
    }
    let message = match (&fallback.service, &fallback.respond) {
        (None, None) => "a fallback needs something to answer with",
        (Some(_), Some(_)) => "a fallback answers in one way",
        _ => return,
    };
    let diagnostic = check
        .error(code::ONE_OF, &path, message)
        .at(check.loaded.locate_key(&path), "")
        .expected("exactly one of `service` and `respond`")
        .help("write `service: NAME` for another service, or `respond: { … }` for a fixed answer");
    check.push(diagnostic);
}

pub(super) fn warnings(check: &mut Check<'_>) {
    for (name, route) in &check.loaded.model.routes {
        let name = name.as_str();
        composed(check, name, route);
        if let Some(fallback) = &route.fallback {
            let to = fallback.service.as_ref();
            no_service(check, name, "fallback", route);
            if let Some(to) = to.filter(|to| only(route) == Some(*to)) {
                same(check, &["routes", name, "fallback", "service"], to, "fails");
            }
        }
        if let Some(mirror) = &route.mirror {
            no_service(check, name, "mirror", route);
            nothing(check, name, mirror);
            if only(route) == Some(&mirror.service) {
                let path = ["routes", name, "mirror", "service"];
                same(check, &path, &mirror.service, "gets every request");
            }
        }
    }
}

/// The one service that a route sends to.
fn only(route: &Route) -> Option<&Name> {
    match &route.to {
        To::Service(name) | To::Action(Action::Service(name)) => Some(name),
        To::Action(_) => None,
    }
}

fn same(check: &mut Check<'_>, path: &[&str; 4], service: &Name, does: &str) {
    let [_, route, key, _] = path;
    let diagnostic = check
        .warning(
            code::NO_EFFECT,
            path,
            format!("the {key} of route `{route}` is the service that {does}"),
        )
        .also(
            check.loaded.locate(&["routes", route, "to"]),
            format!("`{service}` already"),
        )
        .help("name another service");
    check.push(diagnostic);
}

fn no_service(check: &mut Check<'_>, name: &str, key: &str, route: &Route) {
    if !matches!(
        &route.to,
        To::Action(Action::Respond(_) | Action::Redirect(_))
    ) {
        return;
    }
    let path = ["routes", name, key];
    let diagnostic = check
        .warning(
            code::NO_EFFECT,
            &path,
            format!("route `{name}` asks no service, so its {key} is never used"),
        )
        .at(check.loaded.locate_key(&path), "never used")
        .help("remove it");
    check.push(diagnostic);
}

/// What a route that composes can't do: it has no service of its own.
fn composed(check: &mut Check<'_>, name: &str, route: &Route) {
    let To::Action(Action::Compose(compose)) = &route.to else {
        return;
    };
    let path = ["routes", name];
    if route.breaker.is_some() {
        let path = [path[0], path[1], "breaker"];
        let diagnostic = check
            .warning(
                code::NO_EFFECT,
                &path,
                format!("route `{name}` asks a service for each leg, and this breaker watches none of them"),
            )
            .at(check.loaded.locate_key(&path), "never opens")
            .help("write `breaker` in the services that the legs ask");
        check.push(diagnostic);
    }
    if compose.error.is_some()
        && let Some(fallback) = &route.fallback
        && !fallback
            .on
            .iter()
            .any(|cause| matches!(cause, Cause::Status(_)))
    {
        let path = [path[0], path[1], "fallback"];
        let error = ["routes", name, "to", "compose", "error"];
        let diagnostic = check
            .warning(
                code::NO_EFFECT,
                &path,
                format!("the fallback of route `{name}` is never used"),
            )
            .at(check.loaded.locate_key(&path), "never used")
            .also(check.loaded.locate_key(&error), "this is answered before")
            .help("remove one of the two, or name the status of `error` in `on`");
        check.push(diagnostic);
    }
}

/// A mirror that gets nothing, or compares nothing.
fn nothing(check: &mut Check<'_>, name: &str, mirror: &Mirror) {
    if mirror.share.fraction() == 0.0 {
        let path = ["routes", name, "mirror", "share"];
        let diagnostic = check
            .warning(code::NO_EFFECT, &path, "nothing is mirrored")
            .help("write a larger share, or remove `mirror`");
        check.push(diagnostic);
    }
    if mirror
        .compare
        .as_ref()
        .is_some_and(|compare| !compare.status && !compare.body)
    {
        let path = ["routes", name, "mirror", "compare"];
        let diagnostic = check
            .warning(
                code::NO_EFFECT,
                &path,
                "nothing of the two answers is compared",
            )
            .help("set `status` or `body` to `true`, or remove `compare`");
        check.push(diagnostic);
    }
}
