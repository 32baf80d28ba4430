//! Secrets of the gateway that anybody on the way can read.

use std::net::IpAddr;

use http::Uri;
use lintel_kernel::Secret;
use lintel_policies::{RoutePolicies, Setting};

use super::Check;
use crate::{
    diagnostic::code,
    text::{Endpoint, Scheme},
};

pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    let routes = model.routes.iter();
    let routes = routes.map(|(name, route)| (vec!["routes", name.as_str()], &route.policies));
    let all = std::iter::once((vec!["defaults"], &model.defaults.policies)).chain(routes);
    for (base, policies) in all {
        for (path, whose) in shown(check, policies) {
            let path = [&base[..], &["policies"], &path[..]].concat();
            let diagnostic = check
                .warning(
                    code::PLAINTEXT_SECRET,
                    &path,
                    format!("{whose} goes over plain http to another machine"),
                )
                .at(
                    check.loaded.locate(&path),
                    "anybody on the way can read it, and be the gateway there",
                )
                .help("give the server an `https:` address");
            check.push(diagnostic);
        }
    }
}

/// Where secrets are shown to somebody elsewhere in plaintext, and whose they are.
fn shown(check: &Check<'_>, policies: &RoutePolicies) -> Vec<(Vec<&'static str>, &'static str)> {
    let mut found = Vec::new();
    let secret = "the client's secret";
    let asked = policies.oauth2_introspection.as_ref().and_then(Setting::on);
    if let Some(asked) = asked.filter(|asked| asked.client.is_some())
        && is_plain_service(check, &asked.service)
    {
        found.push((vec!["oauth2_introspection", "service"], secret));
    }
    let exchanged = policies.token_exchange.as_ref().and_then(Setting::on);
    if let Some(own) = exchanged {
        let urls = [("endpoint", &own.endpoint), ("provider", &own.provider)];
        let urls = urls.map(|(key, url)| (key, url.as_deref()));
        let key = plain(own.client_secret.as_ref(), &urls);
        found.extend(key.map(|key| (vec!["token_exchange", key], secret)));
    }
    let people = policies.oidc.as_ref().and_then(Setting::on);
    if let Some(own) = people {
        let provider = Some(&*own.provider).filter(|_| own.endpoints.token.is_none());
        let key = plain(own.client_secret.as_ref(), &[("provider", provider)]);
        found.extend(key.map(|key| (vec!["oidc", key], secret)));
        let token = [("token", own.endpoints.token.as_deref())];
        let key = plain(own.client_secret.as_ref(), &token);
        found.extend(key.map(|key| (vec!["oidc", "endpoints", key], secret)));
    }
    found
}

/// The key of a URL that a secret goes to in plaintext.
fn plain<'k>(secret: Option<&Secret>, urls: &[(&'k str, Option<&str>)]) -> Option<&'k str> {
    secret?;
    let leaves = |url: &str| {
        let uri: Option<Uri> = url.parse().ok();
        uri.is_some_and(|uri| {
            uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !is_near(host))
        })
    };
    let found = urls.iter().find(|(_, url)| url.is_some_and(leaves));
    found.map(|(key, _)| *key)
}

fn is_plain_service(check: &Check<'_>, name: &str) -> bool {
    let mut services = check.loaded.model.services.iter();
    let service = services.find(|(own, _)| own.as_str() == name);
    service.is_some_and(|(_, service)| {
        let endpoints = service.endpoints.iter();
        endpoints
            .map(crate::model::Target::endpoint)
            .any(|endpoint| {
                matches!(endpoint, Endpoint::Tcp { scheme: Scheme::Http, host, .. } if !is_near(host))
            })
    })
}

/// Whether a host is this machine.
fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    address.map_or(bare == "localhost", |address| {
        address.to_canonical().is_loopback()
    })
}
