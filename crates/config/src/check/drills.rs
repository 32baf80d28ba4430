//! Fault injection that does not do what it seems to.

use lintel_policies::Setting;

use super::Check;
use crate::diagnostic::code;

/// Delays that no request outlives.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, route) in &model.routes {
        let fault = route.policies.fault.as_ref().and_then(Setting::on);
        let Some(delay) = fault.and_then(|fault| fault.delay.as_ref()) else {
            continue;
        };
        let timeout = model.timeout(route);
        if delay.time < timeout {
            continue;
        }
        let base = ["routes", name.as_str()];
        let path = [base[0], base[1], "policies", "fault", "delay", "time"];
        let diagnostic = check
            .warning(
                code::NO_EFFECT,
                &path,
                format!("a delayed request of route `{name}` never reaches its service"),
            )
            .at(
                check.loaded.locate(&path),
                format!("the timeout of the route is {timeout}"),
            )
            .help("make the delay shorter, or the timeout longer; to refuse requests, use `abort`");
        check.push(diagnostic);
    }
}
