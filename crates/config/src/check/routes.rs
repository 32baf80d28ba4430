//! Routes: actions, matches, policies.

use super::{Check, policies};
use crate::{
    diagnostic::code,
    model::{Action, Redirect, Respond, Split, To},
};

pub(super) fn check(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, route) in &model.routes {
        let name = name.as_str();
        match &route.to {
            To::Action(Action::Split(split)) => {
                weights(check, name, split);
                selection(check, name, split);
            }
            To::Action(Action::Respond(respond)) => {
                bodies(check, ["routes", name, "to", "respond"], respond);
            }
            To::Action(Action::Redirect(target)) => redirect(check, name, target),
            To::Action(Action::Compose(compose)) => {
                super::compose::check(check, name, route, compose)
            }
            To::Service(_) | To::Action(Action::Service(_) | Action::Grpc(_)) => {}
        }
        super::beside::check(check, name, route);
        if let Some(timeout) = route.timeout {
            check.positive(&["routes", name, "timeout"], timeout);
        }
        policies::check(
            check,
            &["routes", name, "policies"],
            &route.policies,
            Some(route),
        );
    }
    if let Some(timeout) = model.defaults.timeout {
        check.positive(&["defaults", "timeout"], timeout);
    }
    policies::check(
        check,
        &["defaults", "policies"],
        &model.defaults.policies,
        None,
    );
}

fn weights(check: &mut Check<'_>, name: &str, split: &Split) {
    if split.services.values().all(|weight| *weight == 0) {
        let path = ["routes", name, "to", "split", "services"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("every service in the split of route `{name}` has weight 0"),
            )
            .at(check.loaded.locate(&path), "no request can be sent")
            .help("give at least one a weight of 1 or more");
        check.push(diagnostic);
    }
}

/// An override that nothing can set off, and a cookie that is none.
fn selection(check: &mut Check<'_>, name: &str, split: &Split) {
    if let Some(cookie) = &split.cookie {
        check.positive(
            &["routes", name, "to", "split", "cookie", "ttl"],
            cookie.ttl,
        );
    }
    let Some(selection) = &split.selection else {
        return;
    };
    if selection.header.is_none() && selection.cookie.is_none() {
        let path = ["routes", name, "to", "split", "override"];
        let diagnostic = check
            .error(code::ONE_OF, &path, "an override needs something to go by")
            .expected("`header`, `cookie` or both")
            .help("write `header: X-Use-Variant`: testers send it with the name of a service");
        check.push(diagnostic);
    }
}

/// The body of an answer at a path.
pub(super) fn bodies(check: &mut Check<'_>, path: [&str; 4], respond: &Respond) {
    let at = |key| [path[0], path[1], path[2], path[3], key];
    let written: Vec<&str> = [
        ("body", respond.body.is_some()),
        ("json", respond.json.is_some()),
        ("template", respond.template.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, is)| is.then_some(key))
    .collect();
    if let [first, .., last] = written.as_slice() {
        let diagnostic = check
            .error(code::ONE_OF, &path, "an answer has one body")
            .at(check.loaded.locate_key(&at(last)), "a second one")
            .also(check.loaded.locate_key(&at(first)), "the first one")
            .help(format!("keep either `{first}` or `{last}`"));
        check.push(diagnostic);
    }
    if let Some(key) = written.first()
        && matches!(respond.status, 204 | 205 | 304)
    {
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("an answer with status {} has no body", respond.status),
            )
            .at(check.loaded.locate_key(&at(key)), "never sent")
            .also(
                check.loaded.locate(&at("status")),
                "this status has none (RFC 9110 §6.4.1)",
            )
            .help(format!("remove `{key}`, or answer with another status"));
        check.push(diagnostic);
    }
}

fn redirect(check: &mut Check<'_>, name: &str, redirect: &Redirect) {
    if matches!(redirect.status, 301 | 302 | 303 | 307 | 308) {
        return;
    }
    let path = ["routes", name, "to", "redirect", "status"];
    let shown = check.loaded.shown(&path, &redirect.status.to_string());
    let diagnostic = check
        .error(code::OUT_OF_RANGE, &path, format!("{shown} is not the status of a redirect"))
        .expected("301, 302, 303, 307 or 308")
        .help("write 308 for a move for good, 307 for one for now; 303 makes the client `GET` the new place");
    check.push(diagnostic);
}
