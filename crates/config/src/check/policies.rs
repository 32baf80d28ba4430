//! The policies of a route or of the defaults.

use super::{
    Check,
    expressions::{Scope, written},
};
use crate::{
    diagnostic::code,
    model::{HeaderChanges, Rewrite, RoutePolicies},
};

/// Fields that frame or route a message: changing them by hand would break it.
const MANAGED: [(&str, &str); 9] = [
    ("connection", CONNECTION),
    ("keep-alive", CONNECTION),
    ("proxy-connection", CONNECTION),
    ("te", CONNECTION),
    ("upgrade", CONNECTION),
    ("transfer-encoding", FRAMING),
    ("content-length", FRAMING),
    ("trailer", FRAMING),
    ("host", "write `policies: { rewrite: { host: … } }` instead"),
];

const CONNECTION: &str = "remove it; it belongs to the connection, which is another one upstream";
const FRAMING: &str = "remove it; it frames the body, which the gateway does anew";

/// Checks the policies at `base`; `params` are those of the route's paths, if it is known.
pub(super) fn check(
    check: &mut Check<'_>,
    base: &[&str],
    policies: &RoutePolicies,
    params: &Option<Vec<String>>,
) {
    if let Some(headers) = &policies.headers {
        for (direction, changes) in [
            ("request", &headers.request),
            ("response", &headers.response),
        ] {
            let path = [base, &["headers", direction]].concat();
            header_changes(
                check,
                &path,
                changes,
                params.as_deref(),
                direction == "response",
            );
        }
    }
    if let Some(rules) = &policies.rewrite {
        rewrite(
            check,
            &[base, &["rewrite"]].concat(),
            rules,
            params.as_deref(),
        );
    }
}

fn header_changes(
    check: &mut Check<'_>,
    base: &[&str],
    changes: &HeaderChanges,
    params: Option<&[String]>,
    response: bool,
) {
    let loaded = check.loaded;
    for (key, fields) in [("set", &changes.set), ("add", &changes.add)] {
        let above = [base, &[key]].concat();
        for (field, template) in fields {
            let field = field.to_string();
            let Some(name) = written(loaded, &above, &field) else {
                continue;
            };
            let path = [above.as_slice(), &[name]].concat();
            managed(check, &path, &field, loaded.locate_key(&path));
            let scope = Scope {
                loaded,
                response,
                params,
            };
            check.out.extend(scope.faults(&path, template));
        }
    }
    for (at, name) in changes.remove.iter().enumerate() {
        let at = at.to_string();
        let path = [base, &["remove", &at]].concat();
        let shown = loaded.shown(&path, name);
        let plain = name.strip_suffix('*').unwrap_or(name);
        if plain.parse::<crate::text::FieldName>().is_err() {
            let diagnostic = check
                .error(
                    code::INVALID_VALUE,
                    &path,
                    format!("{shown} is not the name of a header field"),
                )
                .expected("a name such as `X-Internal`, or a prefix such as `X-Debug-*`");
            check.push(diagnostic);
        } else {
            managed(check, &path, name, loaded.locate(&path));
        }
    }
}

fn managed(check: &mut Check<'_>, path: &[&str], field: &str, place: crate::span::Span) {
    let known = MANAGED
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(field));
    if let Some((name, why)) = known {
        let diagnostic = check
            .error(
                code::MANAGED_HEADER,
                path,
                format!("`{name}` can't be changed by hand"),
            )
            .at(place, "written by the gateway")
            .help(*why);
        check.push(diagnostic);
    }
}

fn rewrite(check: &mut Check<'_>, base: &[&str], rules: &Rewrite, params: Option<&[String]>) {
    let loaded = check.loaded;
    let at = |key| [base, &[key]].concat();
    let set: Vec<&str> = [
        ("strip_prefix", rules.strip_prefix.is_some()),
        ("path", rules.path.is_some()),
        ("regex", rules.regex.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, is)| is.then_some(key))
    .collect();
    if let [first, .., last] = set.as_slice() {
        let diagnostic = check
            .error(
                code::ONE_OF,
                base,
                format!("`{first}` and `{last}` both make the path"),
            )
            .at(loaded.locate_key(&at(last)), "a second one")
            .also(loaded.locate_key(&at(first)), "the first one")
            .help("keep one of them; `add_prefix` may stay");
        check.push(diagnostic);
    }
    for (key, text) in [
        ("strip_prefix", &rules.strip_prefix),
        ("add_prefix", &rules.add_prefix),
    ] {
        let Some(text) = text else { continue };
        if !text.starts_with('/') || text.contains(['?', '#', ' ']) {
            let shown = loaded.shown(&at(key), text);
            let diagnostic = check
                .error(
                    code::INVALID_VALUE,
                    &at(key),
                    format!("`{key}`: {shown} is not a path"),
                )
                .expected("a path such as `/api`");
            check.push(diagnostic);
        }
    }
    let scope = Scope {
        loaded,
        response: false,
        params,
    };
    for (key, template) in [("path", &rules.path), ("host", &rules.host)] {
        if let Some(template) = template {
            check.out.extend(scope.faults(&at(key), template));
        }
    }
    if let Some(regex) = &rules.regex {
        let path = [base, &["regex", "pattern"]].concat();
        if let Err(error) = regex.pattern.parse::<crate::text::Regex>() {
            let shown = loaded.shown(&path, &error.message);
            let diagnostic = check
                .error(
                    code::INVALID_VALUE,
                    &path,
                    format!("not a regular expression: {shown}"),
                )
                .help_maybe(error.hint.filter(|_| !loaded.is_hidden(&path)));
            check.push(diagnostic);
        }
    }
}
