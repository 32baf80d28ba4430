//! What is revoked, and where that is kept.

use lintel_kernel::Duration;
use lintel_policies::{RoutePolicies, Setting};

use super::{Check, stores};
use crate::diagnostic::code;

const SHORTEST_POLL: Duration = Duration::from_millis(100);

pub(super) fn check(check: &mut Check<'_>) {
    let model = &check.loaded.model.revocations;
    if let Err(faults) = model.written() {
        let loaded = check.loaded;
        let faults = faults
            .iter()
            .map(|fault| loaded.fault(&["revocations"], fault));
        check.out.extend(faults);
    }
    if let Some(store) = &model.store {
        stores::known(check, &["revocations", "store"], store);
    }
    if model.poll < SHORTEST_POLL {
        let diagnostic = check
            .error(
                code::OUT_OF_RANGE,
                &["revocations", "poll"],
                "`poll` is 100 ms at least",
            )
            .expected("a duration from `100ms`")
            .help("write `1s`: a revocation holds on all replicas after that time");
        check.push(diagnostic);
    }
    check.positive(&["revocations", "keep"], model.keep);
}

/// Credentials that may outlive their revocation.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    let revocations = &model.revocations;
    if revocations.store.is_none() {
        return;
    }
    for (base, policies) in model.policy_places() {
        for (path, lifetime) in lifetimes(policies) {
            if lifetime <= revocations.keep {
                continue;
            }
            let path = [&base[..], &path[..]].concat();
            let diagnostic = check
                .warning(
                    code::NO_EFFECT,
                    &["revocations", "keep"],
                    "what is revoked may be forgotten before it ends",
                )
                .also(check.loaded.locate(&path), "as long as this it may last")
                .help(format!("write `keep: {lifetime}`, or a shorter lifetime"));
            check.push(diagnostic);
            return;
        }
    }
}

/// How long credentials last where policies say so.
fn lifetimes(policies: &RoutePolicies) -> Vec<(Vec<&'static str>, Duration)> {
    let jwt = policies.jwt.as_ref().and_then(Setting::on);
    let jwt = jwt.and_then(|jwt| Some((vec!["jwt", "max_lifetime"], jwt.max_lifetime?)));
    let oidc = policies.oidc.as_ref().and_then(Setting::on);
    let oidc = oidc.map(|oidc| (vec!["oidc", "session"], oidc.session.lifetime));
    jwt.into_iter().chain(oidc).collect()
}
