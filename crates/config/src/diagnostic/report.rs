use std::{borrow::Cow, collections::HashSet, fmt, sync::Arc};

use super::{Diagnostic, Severity, Style, json, render};
use crate::{login, span::Sources};

/// Diagnostics together with the files they point into.
#[derive(Clone)]
pub struct Report {
    sources: Arc<Sources>,
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Orders diagnostics by place and drops repetitions (an alias repeats its anchor's mistakes). What
    /// they quote shows no passwords.
    pub fn new(sources: Arc<Sources>, mut diagnostics: Vec<Diagnostic>) -> Self {
        let mut seen = HashSet::new();
        diagnostics.iter_mut().for_each(mask);
        diagnostics.retain(|d| {
            let place = d.primary.as_ref().map(|label| label.span);
            seen.insert((d.code, d.message.clone(), place))
        });
        diagnostics.sort_by_key(|d| {
            let place = d.primary.as_ref().map(|label| label.span);
            (d.severity == Severity::Warning, place)
        });
        Self {
            sources,
            diagnostics,
        }
    }

    /// The diagnostics: errors first, then by place.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The files they point into.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Whether any of them stops the configuration from being used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    }

    /// The report as an operator reads it.
    pub fn render(&self, style: &Style) -> String {
        render::report(self, style)
    }

    /// The report for programs: a list of objects with `file`, `line`, `column`, `end_line`,
    /// `end_column`, `severity`, `code`, `message`, `expected`, `help`, `path` and `related`.
    pub fn to_json(&self) -> serde_json::Value {
        json::report(self)
    }
}

fn mask(diagnostic: &mut Diagnostic) {
    let labels = diagnostic.primary.iter_mut();
    let labels = labels.chain(&mut diagnostic.secondary);
    let texts = [&mut diagnostic.expected, &mut diagnostic.help];
    let texts = texts.into_iter().flatten().chain([&mut diagnostic.message]);
    for text in texts.chain(labels.map(|label| &mut label.text)) {
        if let Cow::Owned(masked) = login::masked(text) {
            *text = masked;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Style::plain()))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Report {}
