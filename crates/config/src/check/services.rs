//! Services: endpoints, TLS, timeouts.

use super::Check;
use crate::{
    diagnostic::code,
    model::{Discover, DiscoverScheme, Service, TimeoutSetting},
    text::{Endpoint, Scheme},
};

pub(super) fn check(check: &mut Check<'_>) {
    for (name, service) in &check.loaded.model.services {
        endpoints(check, name.as_str(), service);
        discover(check, name.as_str(), service);
        tls(check, name.as_str(), service);
        timeouts(check, name.as_str(), service);
    }
}

fn endpoints(check: &mut Check<'_>, name: &str, service: &Service) {
    let path = ["services", name, "endpoints"];
    if service.endpoints.is_empty() && service.discover.is_none() {
        nowhere(check, name);
    } else if service.discover.is_none()
        && service.endpoints.iter().all(|target| target.weight() == 0)
    {
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("every endpoint of service `{name}` has weight 0"),
            )
            .at(check.loaded.locate(&path), "no request can be sent")
            .help("give at least one a weight of 1 or more");
        check.push(diagnostic);
    }
    let scheme = |at: usize| {
        service
            .endpoints
            .get(at)
            .map(|target| target.endpoint().scheme())
    };
    let mixed = (1..service.endpoints.len()).find(|at| scheme(*at) != scheme(0));
    if let Some(at) = mixed {
        let (first, second) = (url_path(service, 0), url_path(service, at));
        let locate = |url: &[String]| {
            let path: Vec<&str> = path
                .iter()
                .copied()
                .chain(url.iter().map(String::as_str))
                .collect();
            check.loaded.locate(&path)
        };
        // The caret goes to the endpoint with TLS.
        let (with, without) = match scheme(0) {
            Some(Scheme::Https) => (locate(&first), locate(&second)),
            _ => (locate(&second), locate(&first)),
        };
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("service `{name}` has endpoints with and without TLS"),
            )
            .at(with, "with TLS")
            .also(without, "without TLS")
            .help("make them all `https`, or two services of them");
        check.push(diagnostic);
    }
}

fn nowhere(check: &mut Check<'_>, name: &str) {
    let path = ["services", name];
    // An empty list has been found fault with before.
    if check
        .loaded
        .tree
        .find(&["services", name, "endpoints"])
        .is_some()
    {
        return;
    }
    let diagnostic = check
        .error(
            code::MISSING_KEY,
            &path,
            format!("service `{name}` has neither `endpoints` nor `discover`"),
        )
        .at(check.loaded.locate_key(&path), "where does it run?")
        .help(
            "add `endpoints: [http://10.0.0.7:8080]`, or say with `discover` where they are listed",
        );
    check.push(diagnostic);
}

/// Where an endpoint's URL is, below `endpoints`.
fn url_path(service: &Service, at: usize) -> Vec<String> {
    let mut path = vec![at.to_string()];
    if let Some(crate::model::Target::Weighted(_)) = service.endpoints.get(at) {
        path.push("url".to_owned());
    }
    path
}

fn tls(check: &mut Check<'_>, name: &str, service: &Service) {
    let Some(tls) = &service.tls else { return };
    let path = ["services", name, "tls"];
    let discovered = service
        .discover
        .as_ref()
        .is_none_or(|discover| discover.scheme() == DiscoverScheme::Http);
    let plain = discovered
        && service
            .endpoints
            .iter()
            .all(|target| target.endpoint().scheme() == Scheme::Http);
    if plain {
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("service `{name}` has `tls`, but no endpoint is `https`"),
            )
            .at(check.loaded.locate_key(&path), "has no effect")
            .also(
                check.loaded.locate(&["services", name, "endpoints", "0"]),
                "plaintext",
            )
            .help("write `https://…` for the endpoints, or remove `tls`");
        check.push(diagnostic);
    }
    if tls.insecure_skip_verify && tls.ca.is_some() {
        let path = ["services", name, "tls", "insecure_skip_verify"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                "`insecure_skip_verify` makes `ca` meaningless",
            )
            .also(
                check.loaded.locate(&["services", name, "tls", "ca"]),
                "never looked at",
            )
            .help("remove `insecure_skip_verify`: with the right `ca` it is not needed");
        check.push(diagnostic);
    }
    if let Some(server_name) = &tls.server_name
        && (server_name.is_empty() || server_name.contains(['/', ':', ' ', '*']))
    {
        let path = ["services", name, "tls", "server_name"];
        let shown = check.loaded.shown(&path, server_name);
        let diagnostic = check
            .error(
                code::INVALID_VALUE,
                &path,
                format!("{shown} is not a host name"),
            )
            .expected("the name in the certificate, such as `orders.internal`");
        check.push(diagnostic);
    }
}

fn discover(check: &mut Check<'_>, name: &str, service: &Service) {
    let Some(discover) = &service.discover else {
        return;
    };
    let path = ["services", name, "discover", discover.key()];
    let scheme = match discover.scheme() {
        DiscoverScheme::Http => Scheme::Http,
        DiscoverScheme::Https => Scheme::Https,
    };
    let other = (0..service.endpoints.len()).find(|at| {
        let target = service.endpoints.get(*at);
        target.is_some_and(|target| target.endpoint().scheme() != scheme)
    });
    if let Some(at) = other {
        let url = url_path(service, at);
        let endpoint: Vec<&str> = ["services", name, "endpoints"]
            .into_iter()
            .chain(url.iter().map(String::as_str))
            .collect();
        let scheme_path = [path[0], path[1], path[2], path[3], "scheme"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("service `{name}` has endpoints with and without TLS"),
            )
            .at(
                check.loaded.locate(&scheme_path),
                "discovered endpoints are the one",
            )
            .also(check.loaded.locate(&endpoint), "this one is the other")
            .help("give `scheme` and the URLs the same, or make two services of them");
        check.push(diagnostic);
    }
    registry(check, &path, discover);
    match discover {
        Discover::File(_) | Discover::Consul(_) | Discover::Etcd(_) => {}
        Discover::Kubernetes(source) => {
            if source.context.is_some() && source.kubeconfig.is_none() {
                let at = [path[0], path[1], path[2], path[3], "context"];
                let diagnostic = check
                    .error(
                        code::CONFLICT,
                        &at,
                        "`context` is one of a kubeconfig, and none is named".to_owned(),
                    )
                    .at(check.loaded.locate_key(&at), "has no effect")
                    .help("add `kubeconfig: FILE`, or remove `context`: in a pod, its service account is used");
                check.push(diagnostic);
            }
        }
        Discover::DnsSrv(srv) => {
            check.positive(
                &[path[0], path[1], path[2], path[3], "max_ttl"],
                srv.max_ttl,
            );
        }
    }
}

/// Servers that are asked for endpoints.
fn registry(check: &mut Check<'_>, path: &[&str], discover: &Discover) {
    let (servers, tls) = discover.servers();
    for (place, server) in &servers {
        if let Endpoint::Unix(_) = server {
            let at: Vec<&str> = path
                .iter()
                .copied()
                .chain(place.iter().map(String::as_str))
                .collect();
            let diagnostic = check
                .error(
                    code::INVALID_VALUE,
                    &at,
                    format!("`{}` is not asked over a Unix socket", discover.key()),
                )
                .help("write its URL, such as `http://127.0.0.1:8500`");
            check.push(diagnostic);
        }
    }
    let secure = |(_, server): &(_, &Endpoint)| server.scheme() == Scheme::Https;
    if tls.is_some() && !servers.iter().any(secure) {
        let at: Vec<&str> = path.iter().copied().chain(["tls"]).collect();
        let diagnostic = check
            .error(
                code::CONFLICT,
                &at,
                format!("`{}` has `tls`, but no URL of it is `https`", discover.key()),
            )
            .at(check.loaded.locate_key(&at), "has no effect")
            .help("write `https://…` for its URL, or remove `tls`; TLS towards the endpoints is the service's own `tls`");
        check.push(diagnostic);
    }
}

fn timeouts(check: &mut Check<'_>, name: &str, service: &Service) {
    let path = ["services", name, "timeout"];
    let at = |key| [path[0], path[1], path[2], key];
    let steps = match &service.timeout {
        TimeoutSetting::Request(whole) => {
            check.positive(&path, *whole);
            return;
        }
        TimeoutSetting::Steps(steps) => steps,
    };
    check.positive(&at("connect"), steps.connect);
    check.positive(&at("tls"), steps.tls);
    check.positive(&at("idle"), steps.idle);
    for (key, step) in [("first_byte", steps.first_byte), ("request", steps.request)] {
        if let Some(step) = step {
            check.positive(&at(key), step);
        }
    }
    let Some(request) = steps.request.filter(|request| !request.is_zero()) else {
        return;
    };
    for (key, step) in [
        ("connect", Some(steps.connect)),
        ("tls", Some(steps.tls)),
        ("first_byte", steps.first_byte),
    ] {
        let written = check.loaded.tree.find(&at(key)).is_some();
        if written && step.is_some_and(|step| step > request) {
            let diagnostic = check
                .error(
                    code::CONFLICT,
                    &at(key),
                    format!("`{key}` is longer than `request`, the whole"),
                )
                .at(check.loaded.locate(&at(key)), "never reached")
                .also(check.loaded.locate(&at("request")), "everything ends here")
                .help(format!("make `{key}` shorter than `request`"));
            check.push(diagnostic);
        }
    }
}
