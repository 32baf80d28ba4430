//! Balancing, health checks and ejection: keys that contradict each other.

use super::Check;
use crate::{
    diagnostic::{Diagnostic, code},
    model::{Action, Balance, HealthKind, KeyedBalance, Route, SameSite, Service, To},
    text::Name,
};

pub(super) fn check(check: &mut Check<'_>) {
    for (name, service) in &check.loaded.model.services {
        balance(check, name.as_str(), service);
        health(check, name.as_str(), service);
        eject(check, name.as_str(), service);
    }
}

/// A key that reads a parameter of the path, and routes without it.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (route, settings) in &model.routes {
        let params = settings.params();
        for (name, path) in targets(route.as_str(), settings) {
            let service = model.services.get(name);
            let Some(Balance::Keyed(KeyedBalance::Hash(hash))) = service.map(|one| &one.balance)
            else {
                continue;
            };
            let Ok(expr) = hash.key.compile() else {
                continue;
            };
            let read = expr.path_params();
            let Some(missing) = read
                .iter()
                .find(|name| !params.iter().any(|one| one == *name))
            else {
                continue;
            };
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let key = ["services", name.as_str(), "balance", "hash", "key"];
            let shown = check.loaded.shown(&key, &format!("path.{missing}"));
            let diagnostic = check
                .warning(
                    code::NO_EFFECT,
                    &path,
                    format!("service `{name}` is balanced by {shown}, which this route does not have"),
                )
                .at(
                    check.loaded.locate(&path),
                    "its requests are balanced by `least_request`",
                )
                .also(check.loaded.locate(&key), "the key")
                .help(format!(
                    "name the parameter in every path of the route, such as `/users/{{{missing}}}`, or balance by something that all requests have"
                ));
            check.push(diagnostic);
        }
    }
}

/// Services that a route sends to, and where it says so.
fn targets<'a>(route: &str, settings: &'a Route) -> Vec<(&'a Name, Vec<String>)> {
    let at = |keys: &[&str]| {
        let base = ["routes", route];
        base.iter()
            .chain(keys)
            .map(|key| (*key).to_owned())
            .collect()
    };
    let mut found = match &settings.to {
        To::Service(name) => vec![(name, at(&["to"]))],
        To::Action(Action::Service(name)) => vec![(name, at(&["to", "service"]))],
        To::Action(Action::Split(split)) => {
            let services = split.services.iter();
            let place = |name: &Name| at(&["to", "split", "services", name.as_str()]);
            services.map(|(name, _)| (name, place(name))).collect()
        }
        To::Action(Action::Grpc(grpc)) => {
            vec![(&grpc.service, at(&["to", "grpc", "service"]))]
        }
        To::Action(Action::Compose(compose)) => {
            let place = |leg: &str| at(&["to", "compose", "legs", leg, "service"]);
            let services = compose.services();
            services
                .map(|(leg, name)| (name, place(leg.as_str())))
                .collect()
        }
        To::Action(Action::Respond(_) | Action::Redirect(_)) => Vec::new(),
    };
    let fallback = settings.fallback.as_ref();
    if let Some(name) = fallback.and_then(|fallback| fallback.service.as_ref()) {
        found.push((name, at(&["fallback", "service"])));
    }
    if let Some(mirror) = &settings.mirror {
        found.push((&mirror.service, at(&["mirror", "service"])));
    }
    found
}

fn balance(check: &mut Check<'_>, name: &str, service: &Service) {
    match &service.balance {
        Balance::Plain(_) => {}
        Balance::Keyed(KeyedBalance::Hash(hash)) => {
            let path = ["services", name, "balance", "hash", "key"];
            if hash.key.compile().is_ok_and(|expr| expr.needs_response()) {
                let shown = check.loaded.shown(&path, hash.key.source());
                let diagnostic = check
                    .error(
                        code::NO_RESPONSE_YET,
                        &path,
                        format!("{shown} is not known yet when the endpoint is chosen"),
                    )
                    .at(check.loaded.locate(&path), "here")
                    .help("read something of the request, such as `client.ip`");
                check.push(diagnostic);
            }
        }
        Balance::Keyed(KeyedBalance::Sticky(sticky)) => {
            let path = ["services", name, "balance", "sticky", "same_site"];
            if sticky.same_site == SameSite::None && sticky.secure != Some(true) {
                let diagnostic = check
                    .error(
                        code::CONFLICT,
                        &path,
                        "browsers drop a cookie with `same_site: none` that is not `secure`",
                    )
                    .help("add `secure: true`, or use `same_site: lax`");
                check.push(diagnostic);
            }
            if let Some(ttl) = sticky.ttl {
                check.positive(&["services", name, "balance", "sticky", "ttl"], ttl);
            }
        }
    }
}

fn health(check: &mut Check<'_>, name: &str, service: &Service) {
    let Some(health) = &service.health else {
        return;
    };
    let at = |key| ["services", name, "health", key];
    check.positive(&at("interval"), health.interval);
    check.positive(&at("first_interval"), health.first_interval);
    check.positive(&at("timeout"), health.timeout);
    let http = [
        "path",
        "method",
        "host",
        "status",
        "body_contains",
        "body_matches",
    ];
    let (foreign, kind): (&[&str], _) = match health.kind {
        HealthKind::Http => (&["service"], "http"),
        HealthKind::Tcp => (
            &[
                "path",
                "method",
                "host",
                "status",
                "body_contains",
                "body_matches",
                "service",
            ],
            "tcp",
        ),
        HealthKind::Grpc => (&http, "grpc"),
    };
    for key in foreign {
        let path = at(key);
        if check.loaded.tree.find(&path).is_some() {
            let belongs = if *key == "service" { "grpc" } else { "http" };
            let diagnostic = conflict(
                check,
                &path,
                format!("`{key}` has no meaning with `kind: {kind}`"),
            )
            .help(format!("remove it, or write `kind: {belongs}`"));
            check.push(diagnostic);
        }
    }
    if health.body_contains.is_some() && health.body_matches.is_some() {
        let path = at("body_contains");
        let diagnostic = conflict(check, &path, "a body is checked for one thing".to_owned())
            .also(check.loaded.locate(&at("body_matches")), "the other")
            .help("keep `body_matches` alone: an expression can say both");
        check.push(diagnostic);
    }
}

fn eject(check: &mut Check<'_>, name: &str, service: &Service) {
    let Some(eject) = service.eject.as_ref().and_then(|eject| eject.on()) else {
        return;
    };
    let at = |key| ["services", name, "eject", key];
    check.positive(&at("for"), eject.base);
    check.positive(&at("interval"), eject.interval);
    let written = check.loaded.tree.find(&at("max_for")).is_some();
    if written && eject.max_for < eject.base {
        let path = at("max_for");
        let diagnostic = conflict(check, &path, "`max_for` is shorter than `for`".to_owned())
            .also(
                check.loaded.locate(&at("for")),
                "the first ejection lasts longer",
            )
            .help("write the longest time that an endpoint may be out, such as `5m`");
        check.push(diagnostic);
    }
}

fn conflict(check: &Check<'_>, path: &[&str], message: String) -> Diagnostic {
    check.error(code::CONFLICT, path, message)
}
