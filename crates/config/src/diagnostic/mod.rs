//! What is wrong with a configuration, where, and what to write instead.

pub mod code;
mod json;
mod render;
mod report;
mod severity;

pub use render::Style;
pub use report::Report;
pub use severity::Severity;

use crate::span::Span;

/// A place in a file and a few words about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The words; may be empty.
    pub text: String,
}

/// One thing that is wrong.
///
/// Texts are written to the operator, start in lower case and have no full stop. None of them ever
/// holds a value that came from the environment, from another file or from a secret's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the configuration from being used.
    pub severity: Severity,
    /// A stable name for this kind of mistake; see [`code`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where, if it is anywhere in a file.
    pub primary: Option<Label>,
    /// Other places that explain it, also in other files.
    pub secondary: Vec<Label>,
    /// What would have been right, in few words.
    pub expected: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// The place in the configuration, as in `routes.orders.to`; empty if unknown.
    pub path: String,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            expected: None,
            help: None,
            path: String::new(),
        }
    }

    /// A warning without a place yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Replaces the message.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Says where, with a few words under the caret; may be empty.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Names another place that explains it.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Says what would have been right; shown under the caret where no other words are.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to write instead, if that is known.
    #[must_use]
    pub fn help_maybe(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Names the place in the configuration.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The words under the caret.
    pub(crate) fn label(&self) -> String {
        let text = self.primary.as_ref().map_or("", |label| &label.text);
        match &self.expected {
            Some(expected) if text.is_empty() => format!("expected {expected}"),
            _ => text.to_owned(),
        }
    }
}
