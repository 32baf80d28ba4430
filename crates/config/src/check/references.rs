//! Names that must be names of something.

use lintel_policies::RoutePolicies;

use super::Check;
use crate::{
    diagnostic::code,
    model::{Action, To},
    shape::nearest,
    text::Name,
};

pub(super) fn check(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (route, settings) in &model.routes {
        let base = ["routes", route.as_str()];
        actions(check, route.as_str(), &settings.to);
        if let Some(name) = settings
            .fallback
            .as_ref()
            .and_then(|to| to.service.as_ref())
        {
            service(check, &[base[0], base[1], "fallback", "service"], name);
        }
        if let Some(mirror) = &settings.mirror {
            let path = [base[0], base[1], "mirror", "service"];
            service(check, &path, &mirror.service);
        }
        for (at, listener) in settings.matches.listeners().iter().enumerate() {
            let path = [base[0], base[1], "match", "listeners", &at.to_string()];
            if check.loaded.tree.find(&path).is_none() {
                // Those of its group.
                break;
            }
            reference(
                check,
                "listeners",
                code::UNKNOWN_LISTENER,
                &path,
                listener.as_str(),
            );
        }
    }
    for (place, policies) in model.policy_places() {
        asked(check, &place, policies);
    }
    expectations(check);
}

/// The services that an action sends requests to.
fn actions(check: &mut Check<'_>, route: &str, to: &To) {
    let base = ["routes", route, "to"];
    match to {
        To::Service(name) => service(check, &base, name),
        To::Action(Action::Service(name)) => {
            service(check, &[base[0], base[1], base[2], "service"], name)
        }
        To::Action(Action::Split(split)) => {
            for (name, _) in &split.services {
                let path = [
                    base[0],
                    base[1],
                    base[2],
                    "split",
                    "services",
                    name.as_str(),
                ];
                service(check, &path, name);
            }
        }
        To::Action(Action::Grpc(grpc)) => {
            let path = [base[0], base[1], base[2], "grpc", "service"];
            service(check, &path, &grpc.service);
        }
        To::Action(Action::Compose(compose)) => {
            for (leg, name) in compose.services() {
                let keys = ["compose", "legs", leg.as_str(), "service"];
                service(check, &[&base[..], &keys].concat(), name);
            }
        }
        To::Action(Action::Respond(_) | Action::Redirect(_)) => {}
    }
}

fn expectations(check: &mut Check<'_>) {
    for (at, test) in check.loaded.model.tests.iter().enumerate() {
        let at = at.to_string();
        if let Some(route) = &test.expect.route {
            let path = ["tests", &at, "expect", "route"];
            reference(check, "routes", code::UNKNOWN_ROUTE, &path, route.as_str());
        }
        if let Some(name) = &test.expect.service {
            service(check, &["tests", &at, "expect", "service"], name);
        }
        if let Some(listener) = &test.request.listener {
            let path = ["tests", &at, "request", "listener"];
            reference(
                check,
                "listeners",
                code::UNKNOWN_LISTENER,
                &path,
                listener.as_str(),
            );
        }
    }
}

fn service(check: &mut Check<'_>, path: &[&str], name: &Name) {
    named(check, path, name.as_str());
}

/// Services that policies ask.
fn asked(check: &mut Check<'_>, base: &[&str], policies: &RoutePolicies) {
    for service in policies.services() {
        let path = [base, &service.path].concat();
        named(check, &path, service.name);
    }
}

fn named(check: &mut Check<'_>, path: &[&str], name: &str) {
    reference(check, "services", code::UNKNOWN_SERVICE, path, name);
}

pub(super) fn reference(
    check: &mut Check<'_>,
    section: &str,
    code: &'static str,
    path: &[&str],
    name: &str,
) {
    if check.has(section, name) {
        return;
    }
    let noun = section.trim_end_matches('s');
    let names = check.names(section);
    let hidden = check.loaded.is_hidden(path);
    let help = match nearest(name, names.iter().copied()) {
        Some(near) if !hidden => format!("did you mean `{near}`?"),
        _ if names.is_empty() => format!("add it under `{section}`"),
        _ => match names.as_slice() {
            [only] => format!("the only {noun} is `{only}`"),
            names => format!("the {section} are {}", crate::shape::list(names, "and")),
        },
    };
    let shown = check.loaded.shown(path, name);
    // In a split the name is a key.
    let place = match path {
        ["routes", _, "to", "split", "services", _] => check.loaded.locate_key(path),
        _ => check.loaded.locate(path),
    };
    let diagnostic = check
        .error(code, path, format!("there is no {noun} {shown}"))
        .at(place, format!("not a {noun}"))
        .expected(format!("the name of a {noun}"))
        .help(help);
    check.push(diagnostic);
}
