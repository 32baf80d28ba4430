//! Maps: with known keys, with named items, with exactly one key.

use serde_json::{Map, Value as Json};

use super::{
    Step, Walk, describe,
    describe::{owner, subject},
    suggest,
};
use crate::{
    diagnostic::{Diagnostic, code},
    document::{Entry, Node, Value},
    schema::{Kind, View},
    span::Span,
    text,
};

impl<'n> Walk<'n> {
    pub(super) fn record(&mut self, node: &'n Node, schema: View<'static>) -> Option<Json> {
        let Value::Map(entries) = &node.value else {
            return self.mismatch(node, schema);
        };
        let mut fields = Map::new();
        let mut fit = true;
        // Keys that were written, only not rightly.
        let mut meant: Vec<&'static str> = Vec::new();
        for entry in entries {
            let Some(property) = schema.property(&entry.key) else {
                meant.extend(self.unknown_key(entry, schema, node));
                fit = false;
                continue;
            };
            match self.child(
                Step::Key(&entry.key),
                entry.key_span,
                &entry.value,
                property,
            ) {
                Some(value) => {
                    fields.insert(entry.key.clone(), value);
                }
                None => fit = false,
            }
        }
        let missing: Vec<&str> = schema
            .required()
            .filter(|key| node.get(key).is_none())
            .collect();
        fit &= missing.is_empty();
        let missing: Vec<&str> = missing
            .into_iter()
            .filter(|key| !meant.contains(key))
            .collect();
        if !missing.is_empty() {
            self.missing(node, schema, &missing);
        }
        // What is left of the whole configuration is still worth a look.
        (fit || self.path.is_empty()).then_some(Json::Object(fields))
    }

    pub(super) fn map(
        &mut self,
        node: &'n Node,
        keys: View<'static>,
        values: View<'static>,
        min: u64,
    ) -> Option<Json> {
        let Value::Map(entries) = &node.value else {
            return self.not_a_map(node, values);
        };
        if (entries.len() as u64) < min {
            let subject = subject(&self.path);
            let place = self.place(node);
            self.push(
                Diagnostic::error(code::TOO_FEW, format!("{subject} is empty"))
                    .at(place, "")
                    .expected("at least one entry"),
            );
            return None;
        }
        let format = match keys.kind() {
            Kind::Text { format } => format,
            _ => "",
        };
        let named = self.path.len() == 1;
        let mut fields = Map::new();
        let mut fit = true;
        for entry in entries {
            let key_fits = self.key(entry, format);
            let value = self.child(Step::Key(&entry.key), entry.key_span, &entry.value, values);
            match value {
                Some(value) if key_fits => {
                    fields.insert(entry.key.clone(), value);
                }
                _ => fit = false,
            }
        }
        // An item with mistakes does not hide those of the others.
        (fit || named).then_some(Json::Object(fields))
    }

    fn key(&mut self, entry: &'n Entry, format: &'static str) -> bool {
        if entry.key.contains("${env.") || entry.key.contains("${file.") {
            self.push(
                Diagnostic::error(
                    code::SUBSTITUTION,
                    "`${env.…}` and `${file.…}` are not replaced in keys",
                )
                .at(entry.key_span, "stays as it is")
                .help("write the key out; only values can come from outside"),
            );
            return false;
        }
        let Some(Err(error)) = text::check(format, &entry.key) else {
            return true;
        };
        let code = match format {
            "name" => code::INVALID_NAME,
            _ => code::INVALID_VALUE,
        };
        let place = match error.offset {
            Some(offset) => super::scalar::caret(self.sources, entry.key_span, &entry.key, offset),
            None => entry.key_span,
        };
        let diagnostic = Diagnostic::error(code, error.message)
            .at(place, "")
            .expected(text::noun(format))
            .help_maybe(error.hint);
        self.push(diagnostic);
        false
    }

    /// Named items written as a list is the most common way to get this wrong.
    fn not_a_map(&mut self, node: &'n Node, values: View<'static>) -> Option<Json> {
        let subject = subject(&self.path);
        let found = describe::found(node);
        let name = node
            .items()
            .first()
            .and_then(|item| item.get("name"))
            .filter(|name| name.taint.is_none())
            .and_then(Node::scalar);
        let help = match (&node.value, name) {
            (Value::List(_), Some(name)) => {
                format!(
                    "items are keyed by their name: write `{name}:` and indent its settings below, without `-` and `name`"
                )
            }
            (Value::List(_), None) => {
                "entries have a key: write `name: …` instead of `- …`".to_owned()
            }
            (Value::Text(text), _) if node.taint.is_none() => match text.split_once(':') {
                Some((key, value)) if !value.starts_with(' ') => {
                    format!("put a space after the colon: `{key}: {value}`")
                }
                _ => "write `name: …`, indented, on the lines below".to_owned(),
            },
            _ => "write `name: …`, indented, on the lines below".to_owned(),
        };
        let expected = match self.path.as_slice() {
            [Step::Key(section)] => match describe::singular(section) {
                Some(noun) => format!("a map with one key for each {noun}"),
                None => format!("a map from names to {}", describe::plural(values)),
            },
            _ => format!("a map from names to {}", describe::plural(values)),
        };
        let place = self.place(node);
        let code = match node.value {
            Value::Null => code::MISSING_VALUE,
            _ => code::WRONG_TYPE,
        };
        let message = match node.value {
            Value::Null => format!("{subject} has no value"),
            _ => format!("{subject} takes a map, not {found}"),
        };
        self.push(
            Diagnostic::error(code, message)
                .at(place, "")
                .expected(expected)
                .help(help),
        );
        None
    }

    pub(super) fn tagged(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        tags: &[(&'static str, View<'static>)],
    ) -> Option<Json> {
        let Value::Map(entries) = &node.value else {
            return self.mismatch(node, schema);
        };
        let known: Vec<&str> = tags.iter().map(|(key, _)| *key).collect();
        let mut fields = Map::new();
        let mut found: Vec<&'n Entry> = Vec::new();
        let mut fit = true;
        for entry in entries {
            let Some((_, variant)) = tags.iter().find(|(key, _)| *key == entry.key) else {
                self.unknown_tag(entry, &known);
                fit = false;
                continue;
            };
            found.push(entry);
            match self.child(
                Step::Key(&entry.key),
                entry.key_span,
                &entry.value,
                *variant,
            ) {
                Some(value) => {
                    fields.insert(entry.key.clone(), value);
                }
                None => fit = false,
            }
        }
        if fit {
            fit = self.exactly_one(node, &found, &known);
        }
        fit.then_some(Json::Object(fields))
    }

    fn exactly_one(&mut self, node: &'n Node, found: &[&'n Entry], known: &[&str]) -> bool {
        let subject = subject(&self.path);
        let all = describe::list(known, "and");
        let diagnostic = match found {
            [_] => return true,
            [first, .., last] => {
                let message = format!("{subject} takes one of {all}, not several");
                Diagnostic::error(code::ONE_OF, message)
                    .at(last.key_span, "a second one")
                    .also(first.key_span, "the first one")
                    .help(format!("keep either `{}` or `{}`", first.key, last.key))
            }
            [] => Diagnostic::error(code::ONE_OF, format!("{subject} says nothing"))
                .at(self.place(node), "")
                .expected(format!("one of {all}")),
        };
        self.push(diagnostic);
        false
    }

    fn unknown_tag(&mut self, entry: &Entry, known: &[&'static str]) {
        let owner = owner(&self.path);
        let path = describe::dotted(&self.path);
        let (code, help) = match suggest::planned(&path, &entry.key) {
            Some(later) => (code::NOT_YET, Some(later)),
            None => (
                code::UNKNOWN_KEY,
                suggest::nearest(&entry.key, known.iter().copied())
                    .or_else(|| suggest::synonym(&entry.key).filter(|word| known.contains(word)))
                    .map(|word| format!("did you mean `{word}`?")),
            ),
        };
        let (message, label) = match code {
            code::NOT_YET => (
                format!("`{}` is not there yet", entry.key),
                "not in this version of Lintel",
            ),
            _ => (format!("{owner} has no key `{}`", entry.key), ""),
        };
        self.push(
            Diagnostic::error(code, message)
                .at(entry.key_span, label)
                .expected(format!("one of {}", describe::list(known, "and")))
                .help_maybe(help),
        );
    }

    /// Reports a key that does not exist; returns the key that was most likely meant.
    fn unknown_key(
        &mut self,
        entry: &'n Entry,
        schema: View<'static>,
        node: &'n Node,
    ) -> Option<&'static str> {
        let owner = owner(&self.path);
        let path = describe::dotted(&self.path);
        if let Some(later) = suggest::planned(&path, &entry.key) {
            self.push(
                Diagnostic::error(code::NOT_YET, format!("`{}` is not there yet", entry.key))
                    .at(entry.key_span, "not in this version of Lintel")
                    .help(later),
            );
            return None;
        }
        let (help, meant) = suggest::key(&entry.key, &self.path, schema, self.root, |key| {
            node.get(key).is_none()
        });
        let keys: Vec<&str> = schema.properties().map(|(key, _)| key).collect();
        self.push(
            Diagnostic::error(
                code::UNKNOWN_KEY,
                format!("{owner} has no key `{}`", entry.key),
            )
            .at(entry.key_span, "unknown key")
            .expected(format!("one of {}", describe::list(&keys, "and")))
            .help(help),
        );
        meant
    }

    fn missing(&mut self, node: &'n Node, schema: View<'static>, missing: &[&'static str]) {
        let owner = owner(&self.path);
        let quoted = describe::list(missing, "and");
        let examples: Vec<String> = missing
            .iter()
            .filter_map(|key| {
                let example = describe::example_of(schema.property(key)?)?;
                Some(format!("`{key}: {example}`"))
            })
            .collect();
        let place = match self.keys.last() {
            Some(key) => *key,
            None => self.file_start(node),
        };
        let help = match examples.as_slice() {
            [] => format!("add {quoted}"),
            examples => format!("add for example {}", examples.join(" and ")),
        };
        self.push(
            Diagnostic::error(code::MISSING_KEY, format!("{owner} has no {quoted}"))
                .at(place, "")
                .expected(quoted)
                .help(help),
        );
    }

    fn file_start(&self, node: &Node) -> Span {
        let start = node
            .entries()
            .first()
            .map_or(node.span, |entry| entry.key_span);
        let end = start.end.max(start.start);
        Span { end, ..start }
    }
}
