//! What is legal and probably not meant.
//!
//! Routes that can't be reached are found by the router when the configuration is built.

use std::collections::HashSet;

use super::{Check, files::files};
use crate::{
    diagnostic::code,
    model::{Action, Model, Store, To, UpstreamTls},
    span::Span,
};

pub(super) fn check(check: &mut Check<'_>, secrets: &[(Span, String)], check_files: bool) {
    routes(check);
    super::splits::warnings(check);
    super::drills::warnings(check);
    super::overload::warnings(check);
    super::beside::warnings(check);
    super::cors::warnings(check);
    super::rate_limits::warnings(check);
    super::quotas::warnings(check);
    super::revocations::warnings(check);
    super::plain_secrets::warnings(check);
    services(check);
    super::retry::warnings(check);
    super::balance::warnings(check);
    stores(check);
    listeners(check);
    admin(check);
    expectations(check);
    inline_secrets(check, secrets);
    if check_files {
        key_permissions(check);
    }
}

fn routes(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    if model.routes.is_empty() {
        let diagnostic = check
            .warning(code::NO_ROUTES, &["routes"], "there are no routes: every request is answered with 404")
            .help("add for example `routes: { all: { match: { path: /* }, to: NAME } }` with the name of a service");
        check.push(diagnostic);
    }
    for (name, route) in &model.routes {
        let path = [
            "routes",
            name.as_str(),
            "policies",
            "rewrite",
            "strip_prefix",
        ];
        let prefix = route
            .policies
            .rewrite
            .as_ref()
            .and_then(lintel_policies::Setting::on)
            .and_then(|rewrite| rewrite.strip_prefix.as_deref());
        let Some(prefix) = prefix else { continue };
        let prefix = prefix.trim_end_matches('/');
        let literal = |text: &str| text.starts_with('/') && !text.contains(['{', '*']);
        let never = !route.matches.paths().is_empty()
            && route.matches.paths().iter().all(|pattern| {
                let pattern = pattern.to_string();
                let stem = pattern.strip_suffix("/*").unwrap_or(&pattern);
                literal(stem)
                    && stem != prefix
                    && !stem.starts_with(&format!("{prefix}/"))
                    && !prefix.starts_with(stem)
            });
        if never {
            let shown = check.loaded.shown(&path, prefix);
            let diagnostic = check
                .warning(
                    code::NO_EFFECT,
                    &path,
                    format!("no path of route `{name}` begins with {shown}"),
                )
                .at(check.loaded.locate(&path), "never there to be stripped")
                .also(
                    check
                        .loaded
                        .locate(&["routes", name.as_str(), "match", "path"]),
                    "the paths of this route",
                )
                .help("strip a part of the paths that the route takes");
            check.push(diagnostic);
        }
    }
}

/// Services that some route sends requests to, or some policy asks.
fn used(model: &Model) -> HashSet<&str> {
    let places = model.policy_places().into_iter();
    let asked = places.flat_map(|(_, policies)| policies.services());
    let mut used: HashSet<&str> = asked.map(|service| service.name).collect();
    for (_, route) in &model.routes {
        let fallback = route.fallback.as_ref();
        let fallback = fallback.and_then(|fallback| fallback.service.as_ref());
        used.extend(fallback.map(|name| name.as_str()));
        used.extend(route.mirror.as_ref().map(|mirror| mirror.service.as_str()));
        match &route.to {
            To::Service(name) | To::Action(Action::Service(name)) => {
                used.insert(name.as_str());
            }
            To::Action(Action::Split(split)) => {
                used.extend(split.services.keys().map(|name| name.as_str()))
            }
            To::Action(Action::Grpc(grpc)) => {
                used.insert(grpc.service.as_str());
            }
            To::Action(Action::Compose(compose)) => {
                used.extend(compose.services().map(|(_, name)| name.as_str()));
            }
            To::Action(Action::Respond(_) | Action::Redirect(_)) => {}
        }
    }
    used
}

fn services(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    let used = used(model);
    for (name, service) in &model.services {
        let path = ["services", name.as_str()];
        if !used.contains(name.as_str()) {
            let diagnostic = check
                .warning(
                    code::UNUSED_SERVICE,
                    &path,
                    format!("no route sends requests to service `{name}`"),
                )
                .at(check.loaded.locate_key(&path), "never used")
                .help(format!("write `to: {name}` in a route, or remove it"));
            check.push(diagnostic);
        }
        let mut seen = Vec::new();
        for (at, target) in service.endpoints.iter().enumerate() {
            if seen.contains(&target.endpoint()) {
                let at = at.to_string();
                let path = [path[0], path[1], "endpoints", &at];
                let shown = check.loaded.shown(&path, &target.endpoint().to_string());
                let diagnostic = check
                    .warning(
                        code::DUPLICATE_ENDPOINT,
                        &path,
                        format!("{shown} is listed twice"),
                    )
                    .at(check.loaded.locate(&path), "second time")
                    .help("to send it more requests, give it a weight: `{ url: …, weight: 2 }`");
                check.push(diagnostic);
            }
            seen.push(target.endpoint());
        }
        unverified(check, service.tls.as_ref(), "service", &path);
    }
}

/// Certificates of something at a path that are not looked at.
fn unverified(check: &mut Check<'_>, tls: Option<&UpstreamTls>, noun: &str, path: &[&str]) {
    if !tls.is_some_and(|tls| tls.insecure_skip_verify) {
        return;
    }
    let name = path.get(1).unwrap_or(&"");
    let path = [path, &["tls", "insecure_skip_verify"]].concat();
    let diagnostic = check
        .warning(
            code::VERIFICATION_OFF,
            &path,
            format!("certificates of {noun} `{name}` are not verified"),
        )
        .at(
            check.loaded.locate(&path),
            "anybody in between can read and change everything",
        )
        .help("write `ca: …` with the authority that its certificate comes from");
    check.push(diagnostic);
}

fn stores(check: &mut Check<'_>) {
    let mut used = super::rate_limits::stores(&check.loaded.model);
    used.extend(super::quotas::stores(&check.loaded.model));
    let counting = check.loaded.model.replicas.counted();
    used.extend(counting.map(|counted| counted.store.clone()));
    used.extend(check.loaded.model.revocations.store.clone());
    used.extend(check.loaded.model.directory.store.clone());
    for (name, store) in &check.loaded.model.stores {
        let Store::Redis(redis) = store;
        let path = ["stores", name.as_str(), "redis"];
        unverified(check, redis.tls.as_ref(), "store", &path);
        if used.contains(name.as_str()) {
            continue;
        }
        let path = ["stores", name.as_str()];
        let diagnostic = check
            .warning(
                code::UNUSED_STORE,
                &path,
                format!("nothing uses store `{name}`"),
            )
            .at(check.loaded.locate_key(&path), "never used")
            .help(format!(
                "write `store: {name}` in a limit of `rate_limit` or a `quota`, or remove it"
            ));
        check.push(diagnostic);
    }
}

fn listeners(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, listener) in &model.listeners {
        let path = ["listeners", name.as_str()];
        let reached = model.routes.values().any(|route| {
            let only = route.matches.listeners();
            only.is_empty() || only.contains(name)
        });
        if !reached && !model.routes.is_empty() {
            let diagnostic = check
                .warning(
                    code::IDLE_LISTENER,
                    &path,
                    format!("no route takes requests from listener `{name}`"),
                )
                .at(check.loaded.locate_key(&path), "answers 404 to everything")
                .help(format!(
                    "add `{name}` to `listeners` in the `match` of a route, or remove the listener"
                ));
            check.push(diagnostic);
        }
        let open = listener
            .trusted_proxies
            .iter()
            .position(|range| range.is_everyone());
        if let Some(at) = open {
            let at = at.to_string();
            let path = [path[0], path[1], "trusted_proxies", &at];
            let diagnostic = check
                .warning(
                    code::TRUSTS_EVERYONE,
                    &path,
                    format!("listener `{name}` believes everybody's `X-Forwarded-For`"),
                )
                .at(
                    check.loaded.locate(&path),
                    "every client can claim any address",
                )
                .help("name the addresses of the proxies in front, such as `10.0.0.0/8`");
            check.push(diagnostic);
        }
    }
}

fn admin(check: &mut Check<'_>) {
    let Some(admin) = &check.loaded.model.admin else {
        return;
    };
    if admin.bind.is_local() {
        return;
    }
    let path = ["admin", "bind"];
    if admin.token.is_none() {
        let diagnostic = check
            .warning(
                code::ADMIN_WITHOUT_TOKEN,
                &path,
                "the admin API is open to everybody who can reach this address",
            )
            .at(check.loaded.locate(&path), "not only this machine")
            .help("add `token: ${env.LINTEL_ADMIN_TOKEN}`, or bind it to `127.0.0.1`");
        check.push(diagnostic);
    } else if admin.tls.is_none() {
        let diagnostic = check
            .warning(
                code::ADMIN_WITHOUT_TLS,
                &path,
                "the admin API's token crosses the network in plaintext",
            )
            .at(check.loaded.locate(&path), "not only this machine")
            .help("add `tls`, or bind it to `127.0.0.1`");
        check.push(diagnostic);
    }
}

fn expectations(check: &mut Check<'_>) {
    for (at, test) in check.loaded.model.tests.iter().enumerate() {
        if !test.expect.is_empty() {
            continue;
        }
        let path = ["tests", &at.to_string(), "expect"];
        let diagnostic = check
            .warning(
                code::NO_EFFECT,
                &path,
                "this test can't fail: it expects nothing",
            )
            .at(check.loaded.locate(&path), "nothing is looked at")
            .help("write what should become of the request, such as `expect: { status: 200 }`");
        check.push(diagnostic);
    }
}

fn inline_secrets(check: &mut Check<'_>, secrets: &[(Span, String)]) {
    for (span, path) in secrets {
        // A URL without a password is no secret.
        let text = check.loaded.sources.slice(*span).unwrap_or("");
        if text.contains("://") && !text.contains('@') {
            continue;
        }
        // Nor is the slow hash of one, which is made to be kept.
        let hash = text.trim_start_matches(['"', '\'']);
        let hash = hash.split_once(':').map_or(hash, |(_, hash)| hash);
        if hash.starts_with("$argon2") || hash.starts_with("$2") {
            continue;
        }
        let key = path.rsplit('.').next().unwrap_or(path);
        // One of a list stands there without a key.
        let (noun, before) = match key.split_once('[') {
            Some((noun, _)) => (noun, String::new()),
            None => (key, format!("{key}: ")),
        };
        let name = noun.to_ascii_uppercase();
        let diagnostic = crate::Diagnostic::warning(
            code::INLINE_SECRET,
            format!("the secret `{path}` is written in the configuration"),
        )
        .at(*span, "everybody who reads the file has it")
        .help(format!(
            "write `{before}${{env.{name}}}` or `{before}${{file.{noun}.txt}}`"
        ))
        .path(path.clone());
        check.push(diagnostic);
    }
}

fn key_permissions(check: &mut Check<'_>) {
    use std::os::unix::fs::PermissionsExt as _;
    for file in files(&check.loaded.model)
        .into_iter()
        .filter(|file| file.key)
    {
        let mode =
            std::fs::metadata(&file.path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o004 == 0 {
            continue;
        }
        let place: Vec<&str> = file.place.iter().map(String::as_str).collect();
        let shown = check.loaded.shown(&place, &file.path.display().to_string());
        let diagnostic = check
            .warning(
                code::KEY_PERMISSIONS,
                &place,
                format!("every user of this machine can read the private key {shown}"),
            )
            .at(
                check.loaded.locate(&place),
                format!("mode {:o}", mode & 0o777),
            )
            .help(match check.loaded.is_hidden(&place) {
                true => "run `chmod 600` on it".to_owned(),
                false => format!("run `chmod 600 {}`", file.path.display()),
            });
        check.push(diagnostic);
    }
}
