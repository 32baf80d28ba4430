//! Compositions: what each leg does, what it reads, and who waits for whom.

use lintel_compose::graph;
use lintel_kernel::expr::{Expr, Template};
use serde_json::Value;

use super::{Check, expressions::Scope};
use crate::{
    Loaded,
    build::{circular, leg_names, waits},
    diagnostic::{Diagnostic, code},
    model::{Compose, Leg, Route},
    shape::nearest,
    text::{FieldName, Filter, LegTemplate, MethodName},
};

pub(super) fn check(check: &mut Check<'_>, route: &str, settings: &Route, compose: &Compose) {
    let names = leg_names(compose);
    let base = ["routes", route, "to", "compose"];
    let params = settings.params();
    let place = Place {
        scope: Scope {
            loaded: check.loaded,
            response: false,
            params: Some(&params),
        },
        base: &base,
        names: &names,
    };
    let mut found = Vec::new();
    for (name, leg) in &compose.legs {
        place.leg(name.as_str(), leg, &mut found);
    }
    if let Some(filter) = &compose.body {
        found.extend(place.filter(&["body"], filter));
    }
    if let Some(status) = &compose.status
        && let Ok(expr) = status.compile()
    {
        found.extend(place.expr(&["status"], status.source(), &expr));
    }
    for (name, value) in &compose.headers {
        let headers = [&base[..], &["headers"]].concat();
        let key = super::expressions::written(check.loaded, &headers, &name.to_string());
        let key = key.unwrap_or_default();
        found.extend(place.template(&["headers", key], value));
        found.extend(place.managed(&["headers"], key, name));
    }
    for (at, field) in compose.forward.iter().enumerate() {
        found.extend(place.forwarded(&["forward", &at.to_string()], field));
    }
    coalesce(check.loaded, &place, settings, compose, &mut found);
    let after: Vec<Vec<usize>> = compose
        .legs
        .values()
        .map(|leg| waits(leg, &names))
        .collect();
    if let Err(circle) = graph::order(&after) {
        found.push(place.circle(&circle));
    }
    check.out.extend(found);
    for (name, leg) in &compose.legs {
        if let Some(timeout) = leg.timeout {
            let path = [&base[..], &["legs", name.as_str(), "timeout"]].concat();
            check.positive(&path, timeout);
        }
        if let Some(kept) = &leg.last_good {
            let keys = ["legs", name.as_str(), "last_good", "max_age"];
            check.positive(&[&base[..], &keys].concat(), kept.max_age);
        }
    }
}

/// Requests that are the same.
fn coalesce(
    loaded: &Loaded,
    place: &Place<'_>,
    route: &Route,
    compose: &Compose,
    found: &mut Vec<Diagnostic>,
) {
    let Some(same) = &compose.coalesce else {
        return;
    };
    for (at, expr) in same.by.iter().flatten().enumerate() {
        let at = at.to_string();
        if let Ok(compiled) = expr.compile() {
            found.extend(place.expr(&["coalesce", "by", &at], expr.source(), &compiled));
        }
    }
    if same.across_callers && same.by.is_none() {
        let keys = ["coalesce", "across_callers"];
        found.push(
            place
                .error(
                    code::CONFLICT,
                    &keys,
                    "it is not said what the answer depends on instead of the caller",
                )
                .at(
                    loaded.locate_key(&place.path(&keys)),
                    "callers may get each other's answers",
                )
                .help("add `by: [EXPRESSION, …]`, such as `by: [request.path]`"),
        );
    }
    let methods = route.matches.methods();
    let reads = |method: &MethodName| matches!(method.0, http::Method::GET | http::Method::HEAD);
    if !methods.is_empty() && !methods.iter().any(reads) {
        let keys = ["coalesce"];
        found.push(
            place
                .error(
                    code::CONFLICT,
                    &keys,
                    "only `GET` and `HEAD` requests share a run, and the route takes none",
                )
                .at(loaded.locate_key(&place.path(&keys)), "never used")
                .help("remove `coalesce`"),
        );
    }
}

/// A composition and where it stands.
pub(super) struct Place<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) base: &'a [&'a str; 4],
    names: &'a [&'a str],
}

impl Place<'_> {
    pub(super) fn path<'p>(&self, keys: &[&'p str]) -> Vec<&'p str>
    where
        Self: 'p,
    {
        let mut path = self.base.to_vec();
        path.extend_from_slice(keys);
        path
    }

    pub(super) fn error(
        &self,
        code: &'static str,
        keys: &[&str],
        message: impl Into<String>,
    ) -> Diagnostic {
        let path = [&self.base[..], keys].concat();
        Diagnostic::error(code, message)
            .at(self.scope.loaded.locate(&path), "")
            .path(path.join("."))
    }

    fn leg(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        self.does(name, leg, found);
        self.instead(name, leg, found);
        for other in &leg.after {
            if !self.names.contains(&other.as_str()) {
                let at = leg.after.iter().position(|known| known == other);
                let at = at.unwrap_or_default().to_string();
                let keys = ["legs", name, "after", &at];
                found.push(self.unknown(&keys, other.as_str()));
            }
        }
        for (key, _, target) in leg.targets() {
            found.extend(self.template(&["legs", name, key], target));
            let keys = ["legs", name, key];
            let wrong = self.target(&keys, target);
            found.extend(wrong.or_else(|| self.characters(&keys, target)));
        }
        for (parameter, value) in &leg.query {
            found.extend(self.template(&["legs", name, "query", parameter], value));
        }
        for (field, value) in &leg.headers {
            let headers = [&self.base[..], &["legs", name, "headers"]].concat();
            let key = super::expressions::written(self.scope.loaded, &headers, &field.to_string());
            let key = key.unwrap_or_default();
            found.extend(self.template(&["legs", name, "headers", key], value));
            // A leg may name the host that it asks for.
            if field.0 != http::header::HOST {
                found.extend(self.managed(&["legs", name, "headers"], key, field));
            }
        }
        for (at, field) in leg.forward.iter().flatten().enumerate() {
            found.extend(self.forwarded(&["legs", name, "forward", &at.to_string()], field));
        }
        if let Some(when) = &leg.when
            && let Ok(expr) = when.compile()
        {
            found.extend(self.expr(&["legs", name, "when"], when.source(), &expr));
        }
        for (key, filter) in [("body", &leg.body), ("for_each", &leg.for_each)] {
            let filter = filter.as_ref();
            found.extend(filter.and_then(|filter| self.filter(&["legs", name, key], filter)));
        }
        self.each(name, leg, found);
        self.values(name, leg, found);
        self.rpc(name, leg, found);
        self.question(name, leg, found);
    }

    /// A field that frames a message, or belongs to its connection.
    fn managed(&self, keys: &[&str], key: &str, field: &FieldName) -> Option<Diagnostic> {
        let instead = lintel_policies::managed_field(&field.0)?;
        let path = [keys, &[key]].concat();
        let message = format!("`{field}` can't be written by hand");
        let at = self.scope.loaded.locate_key(&self.path(&path));
        let told = self.error(code::INVALID_VALUE, &path, message);
        Some(told.at(at, "here").help(instead))
    }

    /// A field of the client's message that says nothing of another one.
    fn forwarded(&self, keys: &[&str], field: &FieldName) -> Option<Diagnostic> {
        lintel_policies::managed_field(&field.0).filter(|_| field.0 != http::header::HOST)?;
        let message = format!("`{field}` is of the client's own message, and of no call");
        let told = self.error(code::INVALID_VALUE, keys, message);
        Some(told.help("remove it: each call has one of its own where it needs one"))
    }

    /// A leg does one thing.
    fn does(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        let asks = leg.asks();
        let keys = ["legs", name];
        let one = match (&leg.value, &leg.service, asks.as_slice()) {
            (None, Some(_), [_]) | (Some(_), None, []) => None,
            (None, None, []) => Some("does nothing"),
            (Some(_), _, _) => Some("asks, and has a fixed value"),
            (None, None, _) => Some("does not say which service it asks"),
            (None, Some(_), []) => Some("does not say what it asks for"),
            (None, Some(_), [_, ..]) => Some("asks for two things"),
        };
        if let Some(what) = one {
            let path = self.path(&keys);
            found.push(
                self.error(code::ONE_OF, &keys, format!("leg `{name}` {what}"))
                    .at(self.scope.loaded.locate_key(&path), "")
                    .expected("`service` with one of `get`, `post`, `put`, `patch`, `delete`, `grpc` and `graphql`, or `value` alone")
                    .help("write `{ service: NAME, get: /PATH }`"),
            );
        }
        if leg.body.is_some()
            && let [key @ "get"] = asks.as_slice()
        {
            let keys = ["legs", name, "body"];
            found.push(
                self.error(code::CONFLICT, &keys, "a `GET` has no body")
                    .at(
                        self.scope.loaded.locate_key(&self.path(&keys)),
                        "never read",
                    )
                    .help(format!(
                        "ask with `post` in place of `{key}`, or remove `body`"
                    )),
            );
        }
    }

    /// What only makes sense for the elements of a list.
    fn each(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        if leg.for_each.is_some() {
            return;
        }
        for key in ["batch", "missing"] {
            let path = self.path(&["legs", name, key]);
            if self.scope.loaded.tree.find(&path).is_some() {
                found.push(
                    self.error(
                        code::CONFLICT,
                        &["legs", name, key],
                        format!("leg `{name}` is made once"),
                    )
                    .at(self.scope.loaded.locate_key(&path), "never read")
                    .help("add `for_each: FILTER` for a list of elements, or remove it"),
                );
            }
        }
        let templates = leg.targets().into_iter().map(|(_, _, text)| text);
        let templates = templates
            .chain(leg.graphql.iter().map(|query| &query.path))
            .chain(leg.query.values())
            .chain(leg.headers.values());
        let values = leg.values().filter_map(|(_, value)| value.compile().ok());
        let in_values = values.map(|value| value.exprs().into_iter().any(Expr::reads_item));
        let compiled = templates.filter_map(|text| text.compile().ok());
        let in_texts = compiled.map(|text| text.exprs().any(Expr::reads_item));
        for reads in in_texts.chain(in_values) {
            if reads {
                let keys = ["legs", name];
                let path = self.path(&keys);
                found.push(
                    self.error(
                        code::INVALID_EXPRESSION,
                        &keys,
                        format!("leg `{name}` reads `item`, and is made for no list"),
                    )
                    .at(self.scope.loaded.locate_key(&path), "")
                    .help("add `for_each: FILTER`, such as `[.orders[].product]`"),
                );
                break;
            }
        }
    }

    /// What stands in for a leg.
    fn instead(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        if leg.optional == Some(false) && leg.fallback.is_some() {
            let keys = ["legs", name, "optional"];
            let fallback = self.path(&["legs", name, "fallback"]);
            found.push(
                self.error(
                    code::CONFLICT,
                    &keys,
                    format!("leg `{name}` is required, and has a value for when it fails"),
                )
                .also(self.scope.loaded.locate_key(&fallback), "the value")
                .help("remove `optional: false`, or remove `fallback`"),
            );
        }
        if leg.fallback.as_ref().and_then(Value::as_str) == Some("last_good") {
            let keys = ["legs", name, "fallback"];
            found.push(
                self.error(code::INVALID_VALUE, &keys, "the word `last_good` would be the value")
                    .help("write `last_good: {}` beside it, or in its place: the last good answer then comes first"),
            );
        }
        let writes = leg.put.is_some() || leg.patch.is_some() || leg.delete.is_some();
        if leg.last_good.is_some() && (writes || leg.value.is_some()) {
            let keys = ["legs", name, "last_good"];
            let what = match writes {
                true => "changes something, for which no earlier answer can stand",
                false => "has a fixed value, and never fails",
            };
            found.push(
                self.error(code::CONFLICT, &keys, format!("leg `{name}` {what}"))
                    .at(
                        self.scope.loaded.locate_key(&self.path(&keys)),
                        "never used",
                    )
                    .help("remove `last_good`"),
            );
        }
        for (statuses, value) in &leg.expect {
            let word = match value {
                Value::String(word) if word != "body" => word,
                _ => continue,
            };
            if nearest(word, ["body"]).is_some() {
                let statuses = self.expected(name, &statuses.to_string());
                let keys = ["legs", name, "expect", statuses];
                found.push(
                    self.error(
                        code::INVALID_VALUE,
                        &keys,
                        format!("`{word}` would be the value"),
                    )
                    .help("write `body` for the body of the answer, or another value"),
                );
            }
        }
    }

    pub(super) fn target(&self, keys: &[&str], target: &LegTemplate) -> Option<Diagnostic> {
        let text = target.source();
        let path = text.split('?').next().unwrap_or_default();
        let message = if !text.starts_with('/') {
            "a leg asks for a path, and that begins with `/`"
        } else if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            "`.` and `..` lead out of the path"
        } else {
            return None;
        };
        let told = self.error(code::INVALID_VALUE, keys, message);
        Some(told.help("write the whole path, such as `/users/${claims.sub}`"))
    }

    /// What no path and no query can have in it would be cut off, or let the leg fail (RFC 3986 §3.3).
    fn characters(&self, keys: &[&str], target: &LegTemplate) -> Option<Diagnostic> {
        let written = target.compile().ok()?.with("x");
        let path = written.split('?').next().unwrap_or_default();
        if path.contains(['{', '}']) {
            let message = "braces stand for themselves here";
            let told = self.error(code::INVALID_VALUE, keys, message);
            return Some(told.help("write `${path.NAME}` for a parameter of the route's path"));
        }
        let strange = written
            .chars()
            .find(|c| !c.is_ascii_graphic() || "#<>\\^`".contains(*c))?;
        let shown = match strange {
            ' ' => "a space".to_owned(),
            c if c.is_control() => "a control character".to_owned(),
            c => format!("`{c}`"),
        };
        let mut encoded = [0; 4];
        let encoded = strange.encode_utf8(&mut encoded).bytes();
        let encoded: String = encoded.map(|byte| format!("%{byte:02X}")).collect();
        let message = format!("{shown} can't stand in a path or a query");
        let told = self.error(code::INVALID_VALUE, keys, message);
        Some(told.help(format!("write `{encoded}`, if it belongs there")))
    }

    pub(super) fn template(&self, keys: &[&str], text: &LegTemplate) -> Vec<Diagnostic> {
        let Ok(template) = text.compile() else {
            return Vec::new();
        };
        let exprs = Template::exprs(&template);
        exprs
            .filter_map(|expr| self.expr(keys, text.source(), expr))
            .collect()
    }

    pub(super) fn expr(&self, keys: &[&str], text: &str, expr: &Expr) -> Option<Diagnostic> {
        let path = [&self.base[..], keys].concat();
        if let Some(fault) = self.scope.fault(&path, text, expr) {
            return Some(fault);
        }
        let legs = expr.legs();
        let unknown = legs.iter().find(|leg| !self.names.contains(&&*leg.name))?;
        let found = self
            .scope
            .found(code::UNKNOWN_LEG, &path, text, expr.source());
        let told = found.message(format!("there is no leg `{}`", unknown.name));
        Some(told.help(self.advice(&unknown.name)))
    }

    fn filter(&self, keys: &[&str], filter: &Filter) -> Option<Diagnostic> {
        let fault = filter.compile(self.names).err()?;
        let path = [&self.base[..], keys].concat();
        let loaded = self.scope.loaded;
        let span = loaded.locate(&path);
        let place = match loaded.is_hidden(&path) {
            true => span,
            false => crate::shape::caret(&loaded.sources, span, filter.source(), fault.offset),
        };
        let name = fault.message.split('`').nth(1).unwrap_or_default();
        let told = Diagnostic::error(code::UNKNOWN_LEG, fault.message.clone())
            .at(place, "here")
            .path(path.join("."));
        Some(told.help(self.advice(name)))
    }

    fn unknown(&self, keys: &[&str], name: &str) -> Diagnostic {
        self.error(code::UNKNOWN_LEG, keys, format!("there is no leg `{name}`"))
            .help(self.advice(name))
    }

    fn advice(&self, name: &str) -> String {
        match nearest(name, self.names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => match self.names {
                [only] => format!("the only leg is `{only}`"),
                names => format!("the legs are {}", crate::shape::list(names, "and")),
            },
        }
    }

    fn circle(&self, circle: &[usize]) -> Diagnostic {
        let names = circle.iter().filter_map(|leg| self.names.get(*leg));
        let names: Vec<&str> = names.copied().collect();
        let key = |name: &str| self.scope.loaded.locate_key(&self.path(&["legs", name]));
        let (first, rest) = names.split_first().unwrap_or((&"", &[]));
        let mut told = self
            .error(
                code::CONFLICT,
                &["legs", first],
                circular(circle, self.names),
            )
            .at(key(first), "this one would wait for ever");
        if let [second, _, ..] = rest {
            told = told.also(key(second), format!("`{first}` reads this one"));
        }
        told.help(
            "a leg can read only legs that do not wait for it: take one of the references out",
        )
    }
}
