//! What regorus says of mistakes, at their places.

use std::collections::BTreeMap;

use lintel_kernel::Fault;

/// Whether a text is meant as a policy. One that is not may be anything, a secret even, and nothing
/// of it is told.
pub(super) fn is_policy(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_start().starts_with("package "))
}

pub(super) fn no_policy() -> Fault {
    let fault = Fault::new("this is no policy in Rego: no line begins with `package`");
    let hint = "write the text of a policy, or `${file.NAME}` for that of a file";
    fault.with_hint(hint).discreet()
}

/// The rule that is to decide does not exist.
pub(super) fn no_rule(rule: &str, engine: &regorus::Engine) -> Fault {
    let mut packages = engine.get_packages().unwrap_or_default();
    packages.sort();
    packages.dedup();
    Fault::new(format!("no policy has a rule `{rule}`"))
        .with_hint(format!(
            "write the path of a rule in a package, such as `{}.allow`",
            packages.first().map_or("data.lintel", String::as_str)
        ))
        .under("query")
}

/// A mistake that regorus tells without a place.
pub(super) fn whole(error: &str) -> Fault {
    let hint = match error.contains("could not find function") {
        true => "write a function of the policies, or one of OPA's that only computes",
        false => {
            "policies are read as Rego version 1, as OPA 1.0 does: `opa fmt --v0-v1` rewrites older ones"
        }
    };
    Fault::new(shown(error)).with_hint(hint).discreet()
}

/// A mistake at the place in the policy that regorus names: `--> NAME:LINE:COLUMN`, the line itself,
/// and `error: …`.
pub(super) fn located(policies: &BTreeMap<String, String>, error: &str) -> Option<Fault> {
    let (_, rest) = error.rsplit_once("--> ")?;
    let (place, _) = rest.split_once('\n')?;
    let mut parts = place.rsplitn(3, ':');
    let column: usize = parts.next()?.parse().ok()?;
    let line: usize = parts.next()?.parse().ok()?;
    let (name, text) = policies.get_key_value(parts.next()?)?;
    let offset = text
        .split_inclusive('\n')
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum::<usize>();
    let mut fault = whole(error).at(Some(offset + column.saturating_sub(1)));
    fault.message = format!("{name}:{line}:{column}: {}", fault.message);
    Some(fault.under(name).under("policies"))
}

/// An error without the lines of the policy that it shows.
pub(super) fn shown(error: &str) -> String {
    let told = error
        .rsplit_once("error: ")
        .map_or(error, |(_, told)| told)
        .trim();
    told.lines().next().unwrap_or_default().to_owned()
}
