//! Diagnostics for people, drawn by miette.

use std::{fmt, fmt::Write as _, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::{Diagnostic, Label, Report, Severity};
use crate::span::{Sources, Span};

/// Diagnostics shown in full; the rest is counted.
const SHOWN: usize = 50;

/// How a report is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Lines and arrows in Unicode; else in ASCII.
    pub unicode: bool,
    /// Colours by ANSI escapes.
    pub colour: bool,
    /// Columns after which texts wrap.
    pub width: usize,
}

impl Style {
    /// For logs and pipes: ASCII without colours, 100 columns.
    pub const fn plain() -> Self {
        Self {
            unicode: false,
            colour: false,
            width: 100,
        }
    }

    /// For a terminal of so many columns.
    pub const fn terminal(width: usize, colour: bool) -> Self {
        Self {
            unicode: true,
            colour,
            width,
        }
    }
}

pub(super) fn report(report: &Report, style: &Style) -> String {
    let theme = match (style.unicode, style.colour) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, true) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width.max(40))
        .with_links(false)
        .without_syntax_highlighting()
        .with_context_lines(1);
    let mut out = String::new();
    for diagnostic in report.diagnostics().iter().take(SHOWN) {
        let drawn = Drawn::new(diagnostic, report.sources());
        // Writing to a string can't fail; a span outside its file shows the text alone.
        if handler.render_report(&mut out, &drawn).is_err() {
            let _ = writeln!(out, "{}", diagnostic.message);
        }
        out.push('\n');
    }
    let more = report.diagnostics().len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "… and {more} more\n");
    }
    out.push_str(&summary(report));
    out
}

fn summary(report: &Report) -> String {
    let count = |severity| {
        let all = report.diagnostics().iter();
        all.filter(|d| d.severity == severity).count()
    };
    let counted = |count: usize, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        n => Some(format!("{n} {noun}s")),
    };
    let parts: Vec<String> = [
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [] => String::new(),
        parts => format!("{}\n", parts.join(", ")),
    }
}

/// One diagnostic as miette sees it.
struct Drawn {
    severity: miette::Severity,
    code: &'static str,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<Arc<str>>>,
    labels: Vec<LabeledSpan>,
    /// Places in other files.
    elsewhere: Vec<Drawn>,
}

impl Drawn {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let file = diagnostic.primary.as_ref().map(|label| label.span.source);
        let (here, elsewhere): (Vec<&Label>, Vec<&Label>) = diagnostic
            .secondary
            .iter()
            .partition(|label| Some(label.span.source) == file);
        let primary = diagnostic.primary.as_ref().map(|label| {
            let text = diagnostic.label();
            let text = (!text.is_empty()).then_some(text);
            LabeledSpan::new_primary_with_span(text, label.span.range())
        });
        let here = here
            .into_iter()
            .map(|label| LabeledSpan::new_with_span(Some(label.text.clone()), label.span.range()));
        Self {
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            source: file.and_then(|file| named(sources, file)),
            labels: primary.into_iter().chain(here).collect(),
            elsewhere: elsewhere
                .into_iter()
                .map(|label| Self::place(label, sources))
                .collect(),
        }
    }

    fn place(label: &Label, sources: &Sources) -> Self {
        let Span { source, .. } = label.span;
        Self {
            severity: miette::Severity::Advice,
            code: "",
            message: label.text.clone(),
            help: None,
            source: named(sources, source),
            labels: vec![LabeledSpan::new_primary_with_span(None, label.span.range())],
            elsewhere: Vec::new(),
        }
    }
}

fn named(sources: &Sources, file: u32) -> Option<NamedSource<Arc<str>>> {
    let name = sources.get(file)?.name();
    Some(NamedSource::new(name, sources.masked(file)?))
}

impl miette::Diagnostic for Drawn {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self.code {
            "" => None,
            code => Some(Box::new(code)),
        }
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as _)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        (!self.elsewhere.is_empty()).then(|| {
            Box::new(self.elsewhere.iter().map(|d| d as &dyn miette::Diagnostic)) as Box<_>
        })
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Drawn {}
