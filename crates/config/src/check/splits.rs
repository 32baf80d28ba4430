//! Splits that do not do what they seem to.

use super::Check;
use crate::{
    diagnostic::code,
    model::{Action, Listener, Route, Split, To},
    text::Bind,
};

pub(super) fn warnings(check: &mut Check<'_>) {
    for (name, route) in &check.loaded.model.routes {
        if let To::Action(Action::Split(split)) = &route.to {
            one_sided(check, name.as_str(), split);
            one_address(check, name.as_str(), route, split);
        }
    }
}

/// All the weight on one service, and no way to reach the others.
fn one_sided(check: &mut Check<'_>, name: &str, split: &Split) {
    let mut weighty = split.services.iter().filter(|(_, weight)| **weight > 0);
    let (Some((only, _)), None) = (weighty.next(), weighty.next()) else {
        return;
    };
    if split.selection.is_some() {
        return;
    }
    let path = ["routes", name, "to", "split", "services"];
    let diagnostic = check
        .warning(
            code::NO_EFFECT,
            &path,
            format!("the split of route `{name}` sends everything to `{only}`"),
        )
        .at(check.loaded.locate(&path), "only one has weight")
        .help(format!(
            "write `to: {only}`, or add `override` so that testers reach the others"
        ));
    check.push(diagnostic);
}

/// Sticking by the address of a client that is never seen.
fn one_address(check: &mut Check<'_>, name: &str, route: &Route, split: &Split) {
    let by_address = split
        .sticky
        .as_ref()
        .is_some_and(|sticky| sticky.source().trim() == "client.ip");
    if !by_address {
        return;
    }
    let only = route.matches.listeners();
    let behind = |listener: &Listener| {
        let local = listener.bind.as_slice().iter().all(Bind::is_local);
        local && listener.trusted_proxies.is_empty() && listener.proxy_protocol.is_none()
    };
    let listener = check
        .loaded
        .model
        .listeners
        .iter()
        .filter(|(listener, _)| only.is_empty() || only.contains(listener))
        .find(|(_, listener)| behind(listener));
    let Some((listener, _)) = listener else {
        return;
    };
    let path = ["routes", name, "to", "split", "sticky"];
    let diagnostic = check
        .warning(
            code::NO_EFFECT,
            &path,
            format!("all clients of listener `{listener}` have one address: all go to one service"),
        )
        .also(
            check.loaded.locate(&["listeners", listener.as_str(), "bind"]),
            "only this machine connects here",
        )
        .help(format!(
            "name the proxy in front in `trusted_proxies` of `{listener}`, or stick by something else"
        ));
    check.push(diagnostic);
}
