//! What `${…}` may read where it stands. That it compiles is a matter of the shape.

use lintel_kernel::expr::Expr;

use super::Check;
use crate::{
    diagnostic::{Diagnostic, code},
    loaded::Loaded,
    model::{Action, Respond, Split, To},
    shape::nearest,
    text::{ExprText, TemplateText},
};

pub(super) fn check(check: &mut Check<'_>) {
    let loaded = check.loaded;
    for (name, route) in &loaded.model.routes {
        let name = name.as_str();
        let params = Some(route.params());
        let scope = Scope {
            loaded,
            response: false,
            params: params.as_deref(),
        };
        let fallback = route.fallback.as_ref();
        if let Some(respond) = fallback.and_then(|fallback| fallback.respond.as_ref()) {
            let base = ["routes", name, "fallback"];
            check.out.extend(scope.respond(&base, respond));
        }
        let To::Action(action) = &route.to else {
            continue;
        };
        let base = ["routes", name, "to"];
        match action {
            Action::Respond(respond) => {
                check.out.extend(scope.respond(&base, respond));
            }
            Action::Redirect(redirect) => {
                let path = [base[0], base[1], base[2], "redirect", "to"];
                check.out.extend(scope.faults(&path, &redirect.to));
            }
            Action::Split(split) => check.out.extend(scope.split(name, split)),
            Action::Service(_) | Action::Grpc(_) | Action::Compose(_) => {}
        }
    }
    let groups = loaded.model.groups.iter();
    let groups =
        groups.map(|(name, group)| (vec!["groups", name.as_str(), "errors"], &group.errors));
    for (base, pages) in [(vec!["errors"], &loaded.model.errors)]
        .into_iter()
        .chain(groups)
    {
        for (status, page) in pages {
            let scope = Scope {
                loaded,
                response: true,
                params: None,
            };
            let status = status.to_string();
            let path = [&base[..], &[&status, "body"]].concat();
            check.out.extend(scope.faults(&path, &page.body));
        }
    }
}

/// The key as it is written, whatever its case.
pub(super) fn written<'a>(loaded: &'a Loaded, path: &[&str], key: &str) -> Option<&'a str> {
    let entries = loaded.tree.find(path)?.entries();
    let entry = entries
        .iter()
        .find(|entry| entry.key.eq_ignore_ascii_case(key))?;
    Some(&entry.key)
}

/// What expressions at a place may read.
pub(super) struct Scope<'a> {
    pub(super) loaded: &'a Loaded,
    /// Whether there is an answer.
    pub(super) response: bool,
    /// The parameters of the path; `None` where any may be there.
    pub(super) params: Option<&'a [String]>,
}

impl Scope<'_> {
    /// What is wrong with a template.
    pub(super) fn faults(&self, path: &[&str], text: &TemplateText) -> Vec<Diagnostic> {
        let Ok(template) = text.compile() else {
            return Vec::new();
        };
        template
            .exprs()
            .filter_map(|expr| self.fault(path, text.source(), expr))
            .collect()
    }

    /// What is wrong with the expressions of a `respond` at a place.
    fn respond(&self, base: &[&str; 3], respond: &Respond) -> Vec<Diagnostic> {
        let [a, b, c] = base;
        let mut found = Vec::new();
        if let Some(template) = &respond.template {
            found.extend(self.faults(&[a, b, c, "respond", "template"], template));
        }
        for (field, template) in &respond.headers {
            let headers = [*a, b, c, "respond", "headers"];
            if let Some(key) = written(self.loaded, &headers, &field.to_string()) {
                found.extend(self.faults(&[a, b, c, "respond", "headers", key], template));
            }
        }
        found
    }

    /// What is wrong with the expressions of a split.
    fn split(&self, route: &str, split: &Split) -> Vec<Diagnostic> {
        let [a, b, c, d] = ["routes", route, "to", "split"];
        let sticky = split.sticky.as_ref();
        let sticky = sticky.and_then(|expr| self.expression(&[a, b, c, d, "sticky"], expr));
        let when = split.selection.as_ref().and_then(|by| by.when.as_ref());
        let when = when.and_then(|expr| self.expression(&[a, b, c, d, "override", "when"], expr));
        sticky.into_iter().chain(when).collect()
    }

    /// What is wrong with an expression that is a value as a whole.
    pub(super) fn expression(&self, path: &[&str], text: &ExprText) -> Option<Diagnostic> {
        self.fault(path, text.source(), &text.compile().ok()?)
    }

    pub(super) fn fault(&self, path: &[&str], text: &str, expr: &Expr) -> Option<Diagnostic> {
        if expr.needs_response() && !self.response {
            let shown = self.loaded.shown(path, expr.source());
            let message = format!("{shown} is not known yet when the request goes in");
            let found = self.found(code::NO_RESPONSE_YET, path, text, expr.source());
            return Some(found.message(message).help(
                "read something of the request, or do this to the answer: `policies: { headers: { response: … } }`",
            ));
        }
        let params = self.params?;
        let mut read = expr.path_params().into_iter();
        let missing = read.find(|name| !params.iter().any(|known| known == name))?;
        let names: Vec<&str> = params.iter().map(String::as_str).collect();
        let help = match nearest(missing, names.iter().copied()) {
            Some(near) => format!("did you mean `path.{near}`?"),
            None => match names.as_slice() {
                [] => "name it in the path of `match`, such as `/users/{id}`".to_owned(),
                [only] => format!("the only one is `path.{only}`"),
                names => format!("the parameters are {}", crate::shape::list(names, "and")),
            },
        };
        let shown = self.loaded.shown(path, &format!("path.{missing}"));
        let message = format!("{shown} is not a parameter of every path of this route");
        let found = self.found(code::UNKNOWN_PARAMETER, path, text, expr.source());
        let [section, route, ..] = path else {
            return Some(found.message(message).help(help));
        };
        let paths = self.loaded.locate(&[section, route, "match", "path"]);
        Some(
            found
                .message(message)
                .help(help)
                .also(paths, "the paths of this route"),
        )
    }

    /// A mistake at an expression in a text.
    pub(super) fn found(
        &self,
        code: &'static str,
        path: &[&str],
        text: &str,
        source: &str,
    ) -> Diagnostic {
        let span = self.loaded.locate(path);
        let place = match text.find(source) {
            Some(offset) if !self.loaded.is_hidden(path) => {
                crate::shape::caret(&self.loaded.sources, span, text, offset)
            }
            _ => span,
        };
        Diagnostic::error(code, "")
            .at(place, "here")
            .path(path.join("."))
    }
}
