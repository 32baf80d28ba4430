//! Whether the tree has the shape of the language: all mistakes at once, each at its place.
//!
//! The walk goes over tree and schema together. It returns the tree as JSON, ready to be
//! deserialised: paths resolved, texts from the environment converted where a number is wanted, and
//! named items that have mistakes left out, so that the others can still be checked for what comes
//! after the shape.

mod describe;
mod record;
mod scalar;
mod suggest;

use serde_json::Value as Json;

use crate::{
    diagnostic::{Diagnostic, code},
    document::{Node, Numeric, Value},
    schema::{Kind, View},
    span::{Sources, Span},
};

use describe::subject;
pub(crate) use describe::{inline, list, owner};
pub(crate) use scalar::caret;
pub(crate) use suggest::nearest;

/// What the walk found.
pub(crate) struct Shaped {
    /// The parts without mistakes; `None` if what is left is no configuration.
    pub(crate) value: Option<Json>,
    /// Where secrets are written in the files themselves, and their paths.
    pub(crate) secrets: Vec<(Span, String)>,
}

/// Walks over the tree.
pub(crate) fn walk(
    tree: &Node,
    schema: View<'static>,
    sources: &Sources,
    out: &mut Vec<Diagnostic>,
) -> Shaped {
    let mut walk = Walk {
        sources,
        root: schema,
        out: Vec::new(),
        path: Vec::new(),
        keys: Vec::new(),
        secrets: Vec::new(),
    };
    let value = walk.node(tree, schema);
    out.append(&mut walk.out);
    Shaped {
        value,
        secrets: walk.secrets,
    }
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'n> {
    Key(&'n str),
    Index(usize),
}

struct Walk<'n> {
    sources: &'n Sources,
    root: View<'static>,
    out: Vec<Diagnostic>,
    path: Vec<Step<'n>>,
    /// Where the keys of `path` are written.
    keys: Vec<Span>,
    secrets: Vec<(Span, String)>,
}

impl<'n> Walk<'n> {
    /// The node as JSON, or `None` if it has mistakes.
    fn node(&mut self, node: &'n Node, schema: View<'static>) -> Option<Json> {
        if node.value == Value::Broken {
            return None;
        }
        match schema.kind() {
            Kind::Any => Some(to_json(node)),
            Kind::Record => self.record(node, schema),
            Kind::Map { keys, values, min } => self.map(node, keys, values, min),
            Kind::List { items, min, unique } => self.list(node, schema, items, min, unique),
            Kind::Tagged(tags) => self.tagged(node, schema, &tags),
            Kind::OneOf(alternatives) => self.one_of(node, schema, &alternatives),
            Kind::Choice(words) => self.choice(node, schema, &words),
            Kind::Text { format } => self.text(node, schema, format),
            Kind::Integer { min, max } => self.integer(node, schema, min, max),
            Kind::Bool => self.bool(node, schema),
        }
    }

    /// A child of the node that the walk is at.
    fn child(
        &mut self,
        step: Step<'n>,
        key: Span,
        node: &'n Node,
        schema: View<'static>,
    ) -> Option<Json> {
        self.path.push(step);
        self.keys.push(key);
        let value = self.node(node, schema);
        self.keys.pop();
        self.path.pop();
        value
    }

    fn list(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        items: View<'static>,
        min: u64,
        unique: bool,
    ) -> Option<Json> {
        let Value::List(nodes) = &node.value else {
            return self.mismatch(node, schema);
        };
        if (nodes.len() as u64) < min {
            let example = describe::example_of(items);
            let subject = subject(&self.path);
            self.push(
                Diagnostic::error(code::TOO_FEW, format!("{subject} is empty"))
                    .at(node.span, "")
                    .expected("at least one item")
                    .help_maybe(example.map(|example| format!("write for example `[{example}]`"))),
            );
            return None;
        }
        let mut values: Vec<Json> = Vec::with_capacity(nodes.len());
        let mut fit = true;
        for (at, item) in nodes.iter().enumerate() {
            let value = self.child(Step::Index(at), item.span, item, items);
            match value {
                Some(value) if unique && values.contains(&value) => {
                    fit = false;
                    self.repeated(nodes, at, &value, &values);
                }
                Some(value) => values.push(value),
                None => fit = false,
            }
        }
        fit.then_some(Json::Array(values))
    }

    fn repeated(&mut self, nodes: &'n [Node], at: usize, value: &Json, before: &[Json]) {
        let (Some(second), first) = (nodes.get(at), before.iter().position(|v| v == value)) else {
            return;
        };
        let subject = subject(&self.path);
        let mut diagnostic =
            Diagnostic::error(code::REPEATED, format!("{subject} names one thing twice"))
                .at(second.span, "second time")
                .help("remove one of the two");
        if let Some(first) = first.and_then(|first| nodes.get(first)) {
            diagnostic = diagnostic.also(first.span, "first time");
        }
        self.push(diagnostic);
    }

    /// Picks the alternative that the operator most likely meant and reports *its* mistakes.
    fn one_of(
        &mut self,
        node: &'n Node,
        schema: View<'static>,
        alternatives: &[View<'static>],
    ) -> Option<Json> {
        let fitting: Vec<View<'static>> = alternatives
            .iter()
            .copied()
            .filter(|alternative| admits(*alternative, node))
            .collect();
        let mut best: Option<(Vec<Diagnostic>, usize)> = None;
        for alternative in &fitting {
            let found = self.out.len();
            let secrets = self.secrets.len();
            let value = self.node(node, *alternative);
            let mistakes = self.out.split_off(found);
            if value.is_some() && mistakes.is_empty() {
                return value;
            }
            self.secrets.truncate(secrets);
            // A choice of words is the weakest guess: any other text alternative says more.
            let weight =
                mistakes.len() + usize::from(matches!(alternative.kind(), Kind::Choice(_)));
            if best.as_ref().is_none_or(|(_, least)| weight < *least) {
                best = Some((mistakes, weight));
            }
        }
        match (best, fitting.as_slice()) {
            // Naming the words alone would hide that a map is fine as well.
            (Some((mut mistakes, _)), [only]) if matches!(only.kind(), Kind::Choice(_)) => {
                for mistake in &mut mistakes {
                    mistake.expected = Some(describe::expected(schema));
                }
                self.out.extend(mistakes);
            }
            (Some((mistakes, _)), _) => self.out.extend(mistakes),
            (None, _) => {
                self.mismatch(node, schema);
            }
        }
        None
    }

    /// Adds a diagnostic, with the path the walk is at.
    fn push(&mut self, diagnostic: Diagnostic) {
        let path = describe::dotted(&self.path);
        self.out.push(diagnostic.path(path));
    }

    /// Where to point for a node that may have no text of its own, or go over many lines.
    fn place(&self, node: &Node) -> Span {
        let text = self.sources.slice(node.span).unwrap_or("");
        match self.keys.last() {
            Some(key) if text.is_empty() || text.contains('\n') => *key,
            _ => node.span,
        }
    }
}

/// Whether a node is of the right YAML type for a schema.
fn admits(schema: View<'_>, node: &Node) -> bool {
    match (schema.kind(), &node.value) {
        (Kind::Any, _) => true,
        (Kind::Record | Kind::Map { .. } | Kind::Tagged(_), value) => {
            matches!(value, Value::Map(_))
        }
        (Kind::List { .. }, value) => matches!(value, Value::List(_)),
        (Kind::OneOf(alternatives), _) => alternatives.iter().any(|schema| admits(*schema, node)),
        (Kind::Bool, value) => matches!(value, Value::Bool(_)) || node.taint.is_some(),
        (Kind::Integer { .. }, value) => matches!(value, Value::Number(_)) || node.taint.is_some(),
        (Kind::Text { format }, value) => match value {
            Value::Text(_) => true,
            Value::Number(_) => scalar::takes_numbers(format),
            _ => false,
        },
        (Kind::Choice(_), value) => matches!(value, Value::Text(_) | Value::Number(_)),
    }
}

/// A node as JSON, just as it is.
pub(crate) fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Broken => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Text(text) => Json::String(text.clone()),
        Value::Number(number) => number_to_json(number.value),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), to_json(&entry.value)))
            .collect(),
    }
}

/// Numbers that JSON can't hold become `null`.
fn number_to_json(number: Numeric) -> Json {
    match number {
        Numeric::Float(number) => Json::from(number),
        Numeric::Int(number) => match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => Json::from(number),
            (_, Ok(number)) => Json::from(number),
            #[expect(
                clippy::cast_precision_loss,
                reason = "JSON has no larger whole numbers"
            )]
            _ => Json::from(number as f64),
        },
    }
}
