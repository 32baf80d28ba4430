//! Groups of routes: what they say for their routes, and whether their routes keep to it.

use super::{Check, policies, references::reference};
use crate::{
    diagnostic::code,
    model::{Group, Match, Route},
};

pub(super) fn check(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, group) in &model.groups {
        let base = ["groups", name.as_str()];
        for (at, listener) in group.listeners.iter().flatten().enumerate() {
            let path = [base[0], base[1], "listeners", &at.to_string()];
            let (listeners, name) = (code::UNKNOWN_LISTENER, listener.as_str());
            reference(check, "listeners", listeners, &path, name);
        }
        let defaults = [base[0], base[1], "defaults"];
        if let Some(timeout) = group.defaults.timeout {
            check.positive(&[defaults[0], defaults[1], defaults[2], "timeout"], timeout);
        }
        policies::check(
            check,
            &[defaults[0], defaults[1], defaults[2], "policies"],
            &group.defaults.policies,
            None,
        );
    }
    for (name, route) in &model.routes {
        let Some(group) = &route.group else { continue };
        let path = ["routes", name.as_str(), "group"];
        reference(check, "groups", code::UNKNOWN_GROUP, &path, group.as_str());
        if let Some(group) = model.group(route) {
            outside(check, name.as_str(), route, group);
        }
    }
}

/// Hosts and listeners of a route that are none of its group.
fn outside(check: &mut Check<'_>, name: &str, route: &Route, group: &Group) {
    let group_name = route.group.as_ref().map_or("", |name| name.as_str());
    let all = Match {
        host: group.host.clone(),
        listeners: group.listeners.clone(),
        ..Match::default()
    };
    let hosts: Vec<String> = all.hosts().iter().map(ToString::to_string).collect();
    let own = route.matches.hosts().iter().map(ToString::to_string);
    let hosts: (Vec<String>, Vec<String>) = (own.collect(), hosts);
    let own = route.matches.listeners().iter().map(ToString::to_string);
    let listeners = all.listeners().iter().map(ToString::to_string);
    let listeners: (Vec<String>, Vec<String>) = (own.collect(), listeners.collect());
    for (key, (own, taken)) in [("host", hosts), ("listeners", listeners)] {
        if taken.is_empty() || own.iter().all(|one| taken.contains(one)) {
            continue;
        }
        let path = ["routes", name, "match", key];
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        let taken = match check.loaded.is_hidden(&["groups", group_name, key]) {
            true => "others".to_owned(),
            false => crate::shape::list(&taken, "and"),
        };
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("`{key}` of route `{name}` is not that of its group"),
            )
            .at(
                check.loaded.locate(&path),
                format!("group `{group_name}` takes {taken}"),
            )
            .also(
                check.loaded.locate(&["groups", group_name, key]),
                "the group says so here",
            )
            .help(format!(
                "leave `{key}` out, add it to that of the group, or move the route out of the group"
            ));
        check.push(diagnostic);
    }
}
