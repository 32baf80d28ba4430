//! Limits and breakers of services and routes.

use super::Check;
use crate::{diagnostic::code, model::RouteBreaker};

pub(super) fn check(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, service) in &model.services {
        let path = ["services", name.as_str(), "breaker"];
        one(check, &path, &service.breaker.watch());
    }
    for (name, route) in &model.routes {
        if let Some(breaker) = &route.breaker {
            one(check, &["routes", name.as_str(), "breaker"], breaker);
        }
    }
}

fn one(check: &mut Check<'_>, path: &[&str; 3], breaker: &RouteBreaker) {
    let at = |key| [path[0], path[1], path[2], key];
    check.positive(&at("window"), breaker.window);
    check.positive(&at("open_for"), breaker.open_for);
    if let Some(adaptive) = &breaker.adaptive
        && adaptive.min > adaptive.max
    {
        let within = |key| [path[0], path[1], path[2], "adaptive", key];
        let (min, max) = (within("min"), within("max"));
        let written = [min, max]
            .into_iter()
            .find(|path| check.loaded.tree.find(path).is_some());
        let place = written.unwrap_or(min);
        let diagnostic = check
            .error(
                code::CONFLICT,
                &place,
                format!(
                    "the limit can't go from {} to {}",
                    adaptive.min, adaptive.max
                ),
            )
            .help("make `min` smaller than `max`");
        check.push(diagnostic);
    }
    opens_at_nothing(check, &at("errors"), breaker.errors);
    if let Some(slow) = &breaker.slow {
        let share = [path[0], path[1], path[2], "slow", "share"];
        opens_at_nothing(check, &share, Some(slow.share));
    }
}

/// A share of 0 % is reached by a service that is well.
fn opens_at_nothing(check: &mut Check<'_>, path: &[&str], share: Option<lintel_kernel::Share>) {
    if share.is_some_and(|share| share.fraction() <= 0.0) {
        let diagnostic = check
            .error(
                code::OUT_OF_RANGE,
                path,
                "a breaker that opens at 0% opens at once",
            )
            .expected("a share above `0%`")
            .help("write `50%`, or leave it out for no breaker");
        check.push(diagnostic);
    }
}
