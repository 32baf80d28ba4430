//! Load shedding.

use super::Check;
use crate::{diagnostic::code, model::Priority};

pub(super) fn check(check: &mut Check<'_>) {
    let overload = &check.loaded.model.overload;
    check.positive(&["overload", "queue_delay"], overload.queue_delay);
    let steps = [
        (
            "best_effort",
            overload.best_effort,
            "default",
            overload.default,
        ),
        ("default", overload.default, "critical", overload.critical),
    ];
    for (lesser, from, greater, until) in steps {
        if from <= until {
            continue;
        }
        let written = |key| check.loaded.tree.find(&["overload", key]).is_some();
        let key = if written(lesser) { lesser } else { greater };
        let diagnostic = check
            .error(
                code::CONFLICT,
                &["overload", key],
                format!("`{greater}` requests would be refused before `{lesser}` ones"),
            )
            .at(
                check.loaded.locate(&["overload", key]),
                format!("`{lesser}` is {from}, `{greater}` is {until}"),
            )
            .help(format!("`{lesser}` must not be larger than `{greater}`"));
        check.push(diagnostic);
    }
}

/// Priorities that nobody asks for.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    if model.overload.enabled {
        return;
    }
    for (name, route) in &model.routes {
        if route.priority == Priority::Default {
            continue;
        }
        let path = ["routes", name.as_str(), "priority"];
        let diagnostic = check
            .warning(code::NO_EFFECT, &path, "priorities make no difference")
            .also(
                check.loaded.locate(&["overload", "enabled"]),
                "nothing is refused",
            )
            .help("enable `overload`, or remove the priority");
        check.push(diagnostic);
    }
}
