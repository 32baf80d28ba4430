//! What was most likely meant.

use super::{Step, describe};
use crate::schema::{Kind, View};

/// Keys of the language that this version does not have. `*` stands for one step; the last word is
/// what to do meanwhile.
const PLANNED: &[(&str, &str, &str)] = &[
    (
        "routes.*.to",
        "compose",
        "call the legs one by one, or use a service that does",
    ),
    (
        "routes.*.to",
        "graphql",
        "send it to a service that speaks GraphQL",
    ),
    (
        "routes.*.to",
        "publish",
        "send it to a service that publishes",
    ),
];

/// Policies of the language that this version does not have.
const PLANNED_POLICIES: &[&str] = &[
    "ip_access",
    "bot_detection",
    "waf",
    "cors",
    "acl",
    "load_shed",
    "request_size",
    "validate",
    "graphql_guard",
    "idempotency",
    "cache",
    "version",
    "body",
    "xml_json",
    "compress",
    "trace",
];

/// What other gateways call it.
const SYNONYMS: &[(&str, &str)] = &[
    ("upstream", "services"),
    ("upstreams", "services"),
    ("backends", "services"),
    ("clusters", "services"),
    ("servers", "endpoints"),
    ("discovery", "discover"),
    ("service_discovery", "discover"),
    ("targets", "endpoints"),
    ("nodes", "endpoints"),
    ("hosts", "host"),
    ("domains", "host"),
    ("server_name", "host"),
    ("paths", "path"),
    ("prefix", "path"),
    ("location", "path"),
    ("uri", "path"),
    ("uris", "path"),
    ("method", "methods"),
    ("verbs", "methods"),
    ("plugins", "policies"),
    ("middlewares", "policies"),
    ("filters", "policies"),
    ("service", "to"),
    ("backend", "to"),
    ("action", "to"),
    ("address", "bind"),
    ("addr", "bind"),
    ("listen", "bind"),
    ("port", "bind"),
    ("entrypoints", "listeners"),
    ("rule", "match"),
    ("when", "match"),
    ("url", "endpoints"),
    ("address", "url"),
    ("load_balancing", "balance"),
    ("lb_policy", "balance"),
    ("sni", "server_name"),
    ("verify", "insecure_skip_verify"),
    ("certificate", "cert"),
    ("private_key", "key"),
    ("code", "status"),
    ("location", "to"),
    ("threads", "workers"),
];

/// The known word that a word is closest to, if it is close.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = normal(word);
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&plain, &normal(candidate));
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            let longest = plain.chars().count().max(candidate.chars().count());
            let close = *distance <= (longest / 3).clamp(1, 3) && *distance < longest;
            // `warning` for `warn`, `cert` for `certificates`.
            let cut = candidate.len().min(plain.len()) >= 4
                && (plain.starts_with(candidate) || candidate.starts_with(&plain));
            close || cut
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `firstByte`, `First-Byte` and `first_byte` are one word.
fn normal(word: &str) -> String {
    let mut out = String::new();
    let mut lower_before = false;
    for c in word.chars() {
        if c.is_ascii_uppercase() && lower_before {
            out.push('_');
        }
        lower_before = c.is_ascii_lowercase();
        out.push(if matches!(c, '-' | ' ') {
            '_'
        } else {
            c.to_ascii_lowercase()
        });
    }
    out
}

/// What another gateway's word is called here.
pub(super) fn synonym(word: &str) -> Option<&'static str> {
    let plain = normal(word);
    SYNONYMS
        .iter()
        .find(|(foreign, _)| *foreign == plain)
        .map(|(_, ours)| *ours)
}

/// Advice for a key that a later version will have.
pub(super) fn planned(path: &str, key: &str) -> Option<String> {
    let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
    if steps.last() == Some(&"policies") && PLANNED_POLICIES.contains(&key) {
        return Some(format!(
            "remove it; this version has the policies {}",
            describe::list(&policies(), "and")
        ));
    }
    let hit = PLANNED.iter().find(|(place, name, _)| {
        let place: Vec<&str> = place.split('.').filter(|step| !step.is_empty()).collect();
        *name == key
            && place.len() == steps.len()
            && place
                .iter()
                .zip(&steps)
                .all(|(want, step)| *want == "*" || want == step)
    });
    hit.map(|(_, _, advice)| (*advice).to_owned())
}

fn policies() -> Vec<&'static str> {
    let defaults = crate::schema::root().property("defaults");
    let policies = defaults.and_then(|defaults| defaults.property("policies"));
    policies.map_or_else(Vec::new, |policies| {
        policies.properties().map(|(key, _)| key).collect()
    })
}

/// Advice for an unknown key: a known key spelled alike, the place where the key belongs, or all
/// keys there are; and the key that was meant, if it is one of the record's own. `free` tells which
/// keys are not yet written.
pub(super) fn key(
    key: &str,
    path: &[Step<'_>],
    schema: View<'static>,
    root: View<'static>,
    free: impl Fn(&str) -> bool,
) -> (String, Option<&'static str>) {
    let known: Vec<&'static str> = schema.properties().map(|(key, _)| key).collect();
    let places = places(key, root);
    let here = pattern(path);
    // In a sub-section right here, or one level up?
    let close = places.iter().find(|place| {
        let below = place.strip_prefix(here.as_slice());
        let above = here.strip_prefix(place.as_slice());
        below.is_some_and(|steps| !steps.contains(&"*"))
            || above.is_some_and(|steps| steps.len() <= 2)
    });
    if let Some(place) = close {
        return (belongs(key, place, &here), None);
    }
    if let Some(word) = nearest(key, known.iter().copied().filter(|key| free(key))) {
        return (format!("did you mean `{word}`?"), Some(word));
    }
    if let Some(word) = nearest(key, known.iter().copied()) {
        let help =
            format!("`{word}` is spelled alike, but is already there; remove one of the two");
        return (help, None);
    }
    let ours = SYNONYMS
        .iter()
        .filter(|(foreign, _)| *foreign == normal(key))
        .find(|(_, ours)| known.contains(ours) && free(ours));
    if let Some((_, word)) = ours {
        return (format!("this is called `{word}` here"), Some(word));
    }
    let help = match places.as_slice() {
        [place] | [place, _] => belongs(key, place, &here),
        _ => format!("the keys here are {}", describe::list(&known, "and")),
    };
    (help, None)
}

fn belongs(key: &str, place: &[&str], here: &[&str]) -> String {
    if let Some(below) = place.strip_prefix(here).filter(|below| !below.is_empty()) {
        let open: String = below.iter().map(|step| format!("{step}: {{ ")).collect();
        let close = " }".repeat(below.len());
        let path = below.join(".");
        return format!("`{key}` belongs under `{path}`: write `{open}{key}: …{close}`");
    }
    match (here.strip_prefix(place), place) {
        (_, []) => format!("`{key}` belongs at the top level of the file"),
        (Some([sibling]), _) => format!("`{key}` belongs one level up, beside `{sibling}`"),
        (Some([sibling, ..]), _) => format!("`{key}` belongs further up, beside `{sibling}`"),
        _ => format!("`{key}` belongs under `{}`", shown(place)),
    }
}

/// `listeners.<name>.limits`.
fn shown(place: &[&str]) -> String {
    let steps: Vec<&str> = place
        .iter()
        .map(|step| if *step == "*" { "<name>" } else { step })
        .collect();
    steps.join(".")
}

/// A path with names of items replaced by `*`.
fn pattern<'p>(path: &[Step<'p>]) -> Vec<&'p str> {
    path.iter()
        .enumerate()
        .map(|(at, step)| match (at, step) {
            (1, Step::Key(_)) | (_, Step::Index(_)) => "*",
            (_, Step::Key(key)) => key,
        })
        .collect()
}

/// Every record of the language that has this key.
fn places(key: &str, root: View<'static>) -> Vec<Vec<&'static str>> {
    let mut found = Vec::new();
    search(key, root, &mut Vec::new(), &mut found);
    found.sort_by_key(Vec::len);
    found
}

fn search(
    key: &str,
    view: View<'static>,
    path: &mut Vec<&'static str>,
    found: &mut Vec<Vec<&'static str>>,
) {
    // Routes in groups are routes like all others.
    if path.as_slice() == ["groups", "*", "routes"] {
        return;
    }
    let mut into = |step: &'static str, view: View<'static>, found: &mut Vec<Vec<&'static str>>| {
        path.push(step);
        search(key, view, path, found);
        path.pop();
    };
    match view.kind() {
        Kind::Record => {
            for (name, property) in view.properties() {
                into(name, property, found);
            }
            if view.property(key).is_some() {
                found.push(path.clone());
            }
        }
        Kind::Map { values, .. } => into("*", values, found),
        Kind::List { items, .. } => into("*", items, found),
        Kind::Tagged(tags) => {
            for (name, variant) in tags {
                into(name, variant, found);
            }
        }
        Kind::OneOf(alternatives) => {
            for alternative in alternatives {
                search(key, alternative, path, found);
            }
        }
        Kind::Choice(_) | Kind::Text { .. } | Kind::Integer { .. } | Kind::Bool | Kind::Any => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word() {
        let known = ["bind", "protocols", "first_byte", "tls"];
        for (word, near) in [
            ("bnid", Some("bind")),
            ("protocol", Some("protocols")),
            ("firstByte", Some("first_byte")),
            ("First-Byte", Some("first_byte")),
            ("TLS", Some("tls")),
            ("x", None),
            ("something", None),
        ] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }

    #[test]
    fn planned_keys_are_known_by_their_place() {
        assert!(planned("routes.orders.to", "compose").is_some());
        assert!(planned("routes.orders", "compose").is_none());
        assert!(planned("routes.orders.policies", "waf").is_some());
        assert!(planned("defaults.policies", "cors").is_some());
    }
}
