//! Texts, numbers, words.

use serde_json::Value as Json;

use super::{Walk, describe, describe::subject, suggest};
use crate::{
    diagnostic::{Diagnostic, code},
    document::{Node, Numeric, Value},
    schema::View,
    span::Span,
    text::{self, StoreAddress, TextError},
};

/// Formats in which a bare number is a legal text, or so nearly one that the parser's message
/// helps more than "expected a text".
pub(super) fn takes_numbers(format: &str) -> bool {
    matches!(
        format,
        "duration"
            | "size"
            | "rate"
            | "share"
            | "bind"
            | "cidr"
            | "status-pattern"
            | "failure-cause"
            | "retry-condition"
            | "status-range"
            | "file-mode"
            | "port-reference"
    )
}

impl<'n> Walk<'n> {
    pub(super) fn text(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        format: &'static str,
    ) -> Option<Json> {
        let login =
            format == StoreAddress::FORMAT && node.scalar().is_some_and(|text| text.contains('@'));
        if (format == "secret" || login) && node.taint.is_none() && node.span.start < node.span.end
        {
            self.secrets.push((node.span, describe::dotted(&self.path)));
        }
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Number(number) if takes_numbers(format) => &number.raw,
            _ => return self.mismatch(node, schema),
        };
        let text = match &node.taint {
            // `$` of a secret must not start an expression.
            Some(taint) if matches!(format, "template" | "leg-template") => &taint.escaped,
            _ => text,
        };
        if let Some(Err(error)) = text::check(format, text) {
            self.bad_text(node, schema, format, text, &error);
            return None;
        }
        Some(Json::String(match format {
            "file" => self.resolved(node, text),
            "log-target" if text.contains('/') => self.resolved(node, text),
            _ => text.clone(),
        }))
    }

    /// A path relative to the file it is written in.
    fn resolved(&self, node: &Node, path: &str) -> String {
        match self.sources.get(node.span.source) {
            Some(source) => source.folder().join(path).display().to_string(),
            None => path.to_owned(),
        }
    }

    fn bad_text(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        format: &'static str,
        text: &str,
        error: &TextError,
    ) {
        let noun = text::noun(format);
        let code = match format {
            "template" | "expression" | "leg-template" | "leg-expression" | "filter" => {
                code::INVALID_EXPRESSION
            }
            _ => code::INVALID_VALUE,
        };
        let subject = subject(&self.path);
        let expected = describe::expected(schema);
        if node.taint.is_some() || self.sources.is_secret(node.span) {
            // Neither the parser's message nor its hint may be shown: they quote the text.
            let message = match (format, &node.taint) {
                ("template" | "expression" | "leg-template" | "leg-expression" | "filter", _) => {
                    format!("{subject}: an expression in this text can't be used")
                }
                (_, Some(taint)) => {
                    format!("{subject}: the value of `{}` is not {noun}", taint.origin)
                }
                (_, None) => format!("{subject}: a login is no part of {noun}"),
            };
            let help =
                (!node.is_tainted()).then(|| "remove it, up to and including the `@`".to_owned());
            self.push(
                Diagnostic::error(code, message)
                    .at(node.span, "")
                    .expected(expected)
                    .help_maybe(help),
            );
            return;
        }
        let place = match error.offset {
            Some(offset) => caret(self.sources, node.span, text, offset),
            None => node.span,
        };
        // Under a part of the text, what the whole should be would be misread.
        let label = if place == node.span { "" } else { "here" };
        self.push(
            Diagnostic::error(code, format!("{subject}: {}", error.message))
                .at(place, label)
                .expected(expected)
                .help_maybe(error.hint.clone()),
        );
    }

    pub(super) fn integer(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        min: i128,
        max: i128,
    ) -> Option<Json> {
        let value = match &node.value {
            Value::Number(number) => match number.value {
                Numeric::Int(value) => Some(value),
                Numeric::Float(_) => None,
            },
            Value::Text(text) if node.taint.is_some() => text.trim().parse().ok(),
            _ => None,
        };
        let Some(value) = value else {
            return self.mismatch(node, schema);
        };
        if (min..=max).contains(&value) {
            return Some(super::number_to_json(Numeric::Int(value)));
        }
        let subject = subject(&self.path);
        let shown = match node.taint {
            Some(_) => "the value".to_owned(),
            None => format!("`{value}`"),
        };
        self.push(
            Diagnostic::error(
                code::OUT_OF_RANGE,
                format!("{subject}: {shown} is out of range"),
            )
            .at(node.span, "")
            .expected(describe::range(min, max)),
        );
        None
    }

    pub(super) fn bool(&mut self, node: &'n Node, schema: View<'static>) -> Option<Json> {
        match &node.value {
            Value::Bool(value) => Some(Json::Bool(*value)),
            Value::Text(text) if node.taint.is_some() && text == "true" => Some(Json::Bool(true)),
            Value::Text(text) if node.taint.is_some() && text == "false" => Some(Json::Bool(false)),
            _ => self.mismatch(node, schema),
        }
    }

    pub(super) fn choice(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        words: &[View<'static>],
    ) -> Option<Json> {
        let Some(text) = node
            .scalar()
            .filter(|_| !matches!(node.value, Value::Bool(_)))
        else {
            return self.mismatch(node, schema);
        };
        let known: Vec<&str> = words.iter().map(|word| word.word()).collect();
        if known.contains(&text) {
            return Some(Json::String(text.to_owned()));
        }
        let subject = subject(&self.path);
        let expected = describe::words(&known);
        let diagnostic = match &node.taint {
            Some(taint) => Diagnostic::error(
                code::UNKNOWN_VALUE,
                format!(
                    "{subject}: the value of `{}` is none of the allowed words",
                    taint.origin
                ),
            ),
            None => Diagnostic::error(code::UNKNOWN_VALUE, format!("{subject} can't be `{text}`"))
                .help_maybe(
                    suggest::nearest(text, known).map(|word| format!("did you mean `{word}`?")),
                ),
        };
        self.push(diagnostic.at(node.span, "").expected(expected));
        None
    }

    /// The value is of another type than the schema's.
    pub(super) fn mismatch(&mut self, node: &'n Node, schema: View<'static>) -> Option<Json> {
        let subject = subject(&self.path);
        let expected = describe::expected(schema);
        let place = self.place(node);
        if node.value == Value::Null {
            let help = match describe::example_of(schema) {
                Some(example) => match self.path.last() {
                    Some(super::Step::Key(key)) => format!("write for example `{key}: {example}`"),
                    _ => format!("write for example `{example}`"),
                },
                None => "give it a value".to_owned(),
            };
            self.push(
                Diagnostic::error(code::MISSING_VALUE, format!("{subject} has no value"))
                    .at(place, describe::label(schema))
                    .expected(expected)
                    .help(format!("{help}, or remove the line")),
            );
            return None;
        }
        let found = describe::found(node);
        let key = match self.path.last() {
            Some(super::Step::Key(key)) => Some(*key),
            _ => None,
        };
        self.push(
            Diagnostic::error(
                code::WRONG_TYPE,
                format!("{subject} takes {}, not {found}", describe::brief(schema)),
            )
            .at(place, describe::label(schema))
            .expected(expected)
            .help_maybe(describe::conversion(node, schema, key)),
        );
        None
    }
}

/// The place of a byte offset inside a scalar. Where escapes make that hard to tell, the whole.
pub(crate) fn caret(sources: &crate::span::Sources, span: Span, text: &str, offset: usize) -> Span {
    let word = text.get(offset..).map_or("", |rest| {
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '}' | ',' | '/' | ')'))
            .unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        rest.get(..end.max(first)).unwrap_or("")
    });
    let Some(raw) = sources.slice(span) else {
        return span;
    };
    let start = match raw.find(text) {
        Some(at) => Some(at + offset),
        // A folded or escaped text: the word alone, if it is there just once.
        None if !word.is_empty() && raw.matches(word).count() == 1 => raw.find(word),
        None => None,
    };
    match start {
        Some(start) => {
            let start = span.start as usize + start;
            let end = (start + word.len()).min(span.end as usize);
            // A mistake at the very end is shown at the last character.
            if start < end {
                Span::new(span.source, start..end)
            } else {
                span
            }
        }
        None => span,
    }
}
