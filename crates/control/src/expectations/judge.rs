//! What came of a request, held against what was expected.

use http::{HeaderMap, HeaderName};
use lintel_config::{
    Built,
    model::{Expected, ExpectedRequest, Table, ValueCondition},
    text::FieldName,
};
use lintel_proxy::snapshot::Action;
use lintel_router::ValueMatch;

use super::{
    Mismatch,
    gateway::{Answer, Trial},
    stand_in::Forwarded,
};

/// Bytes of a body that a report shows.
const SHOWN: usize = 200;

pub(super) struct Judge<'a> {
    pub(super) built: &'a Built,
    pub(super) trial: &'a Trial<'a>,
    pub(super) answer: &'a Answer,
    /// What the service got, if the request went there.
    pub(super) forwarded: Option<Forwarded>,
}

impl Judge<'_> {
    /// Everything that is not as expected, in the order of the keys.
    pub(super) fn judge(&self, expected: &Expected) -> Vec<Mismatch> {
        let mut found = Vec::new();
        found.extend(
            expected
                .route
                .as_ref()
                .and_then(|name| self.route(name.as_str())),
        );
        found.extend(
            expected
                .service
                .as_ref()
                .and_then(|name| self.service(name.as_str())),
        );
        found.extend(expected.status.and_then(|status| self.status(status)));
        headers(
            "header",
            &expected.headers,
            &self.answer.headers,
            &mut found,
        );
        found.extend(body("body", expected.body.as_ref(), &self.answer.body));
        if let Some(expected) = &expected.upstream {
            self.upstream(expected, &mut found);
        }
        found
    }

    fn route(&self, expected: &str) -> Option<Mismatch> {
        let actual = self.answer.known.route.as_ref().map(|(_, name)| &**name);
        (actual != Some(expected)).then(|| Mismatch {
            what: "route".to_owned(),
            expected: format!("`{expected}`"),
            actual: shown(actual),
            why: self.candidates(),
        })
    }

    fn service(&self, expected: &str) -> Option<Mismatch> {
        let taken = self.answer.known.service.as_deref();
        let by_chance = self.by_chance();
        if taken == Some(expected) || taken.is_some() && by_chance.contains(&expected) {
            return None;
        }
        let possible = match by_chance.as_slice() {
            [] => shown(taken),
            names => format!("`{}`", names.join("` or `")),
        };
        Some(Mismatch {
            what: "service".to_owned(),
            expected: format!("`{expected}`"),
            actual: taken.map_or_else(|| shown(None), |_| possible),
            why: self.refusal(),
        })
    }

    /// The services among which the route picks by their weights alone.
    fn by_chance(&self) -> Vec<&str> {
        let snapshot = &self.built.generation.snapshot;
        let index = self.answer.known.route.as_ref().map(|(index, _)| *index);
        let action = index.and_then(|index| Some(&snapshot.routes.get(index)?.action));
        let Some(Action::Split(split)) = action else {
            return Vec::new();
        };
        if split.sticky().is_some() || split.cookie().is_some() || split.selection().is_some() {
            return Vec::new();
        }
        let shares = split.shares().filter(|(_, weight)| *weight > 0);
        shares
            .filter_map(|(index, _)| Some(&**snapshot.services.get(index)?.name()))
            .collect()
    }

    fn status(&self, expected: u16) -> Option<Mismatch> {
        let actual = self.answer.status.as_u16();
        (actual != expected).then(|| Mismatch {
            what: "status".to_owned(),
            expected: expected.to_string(),
            actual: actual.to_string(),
            why: self.refusal(),
        })
    }

    fn upstream(&self, expected: &ExpectedRequest, found: &mut Vec<Mismatch>) {
        let Some(seen) = &self.forwarded else {
            found.push(Mismatch {
                what: "upstream".to_owned(),
                expected: "a request".to_owned(),
                actual: "none: it was not forwarded".to_owned(),
                why: self.refusal(),
            });
            return;
        };
        let texts = [
            (
                "upstream method",
                expected.method.as_ref().map(ToString::to_string),
                seen.method.to_string(),
            ),
            ("upstream path", expected.path.clone(), seen.target.clone()),
        ];
        for (what, expected, actual) in texts {
            found.extend(
                expected
                    .filter(|expected| *expected != actual)
                    .map(|expected| Mismatch {
                        what: what.to_owned(),
                        expected: format!("`{expected}`"),
                        actual: format!("`{actual}`"),
                        why: Vec::new(),
                    }),
            );
        }
        headers("upstream header", &expected.headers, &seen.headers, found);
        found.extend(body("upstream body", expected.body.as_ref(), &seen.body));
    }

    /// Which routes were considered, and why each won or lost.
    fn candidates(&self) -> Vec<String> {
        let explanation = &self.trial.explanation;
        let mut why: Vec<String> = explanation
            .candidates
            .iter()
            .map(ToString::to_string)
            .collect();
        if why.is_empty() && !explanation.matched {
            why.push("no route takes the host and path".to_owned());
        }
        why
    }

    /// Who refused the request and why; without a route, why no route took it.
    fn refusal(&self) -> Vec<String> {
        let known = &self.answer.known;
        let mut why: Vec<String> = known
            .refused
            .iter()
            .map(|refused| {
                format!(
                    "refused by `{}` ({}): {}",
                    refused.by, refused.code, refused.detail
                )
            })
            .collect();
        if known.route.is_none() {
            why.extend(self.candidates());
        }
        why
    }
}

fn headers(
    what: &str,
    expected: &Table<FieldName, ValueCondition>,
    actual: &HeaderMap,
    found: &mut Vec<Mismatch>,
) {
    for (name, condition) in expected {
        let value = joined(actual, &name.0);
        let wanted = condition.value_match();
        if wanted.matches(value.as_deref().map(str::as_bytes)) {
            continue;
        }
        found.push(Mismatch {
            what: format!("{what} `{name}`"),
            expected: in_words(&wanted),
            actual: shown(value.as_deref()),
            why: Vec::new(),
        });
    }
}

/// All lines of a field as one value (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn body(what: &str, expected: Option<&ValueCondition>, actual: &[u8]) -> Option<Mismatch> {
    let wanted = expected?.value_match();
    let value = Some(actual).filter(|body| !body.is_empty());
    // An empty text is what no body reads as.
    let empty = matches!(&wanted, ValueMatch::Exact(text) if text.is_empty());
    if wanted.matches(value) || empty && value.is_none() {
        return None;
    }
    let text = value.map(String::from_utf8_lossy);
    let cut = text
        .as_ref()
        .map(|text| match text.char_indices().nth(SHOWN) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
            None => text.to_string(),
        });
    Some(Mismatch {
        what: what.to_owned(),
        expected: in_words(&wanted),
        actual: shown(cut.as_deref()),
        why: Vec::new(),
    })
}

fn in_words(wanted: &ValueMatch) -> String {
    match wanted {
        ValueMatch::Exact(value) => format!("`{value}`"),
        ValueMatch::OneOf(_) | ValueMatch::Prefix(_) | ValueMatch::Regex(_) => {
            format!("a value that {wanted}")
        }
        ValueMatch::Present => "any value".to_owned(),
        ValueMatch::Absent => "none".to_owned(),
    }
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("`{value}`"))
}
