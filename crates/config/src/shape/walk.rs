use serde_json::Value as Json;

use super::{Step, describe, scalar};
use crate::{
    diagnostic::Diagnostic,
    document::{Node, Value},
    schema::{Kind, View},
    span::{Sources, Span},
};

/// The walk over tree and schema.
pub(super) struct Walk<'n> {
    pub(super) sources: &'n Sources,
    pub(super) root: View<'static>,
    pub(super) out: Vec<Diagnostic>,
    pub(super) path: Vec<Step<'n>>,
    /// Where the keys of `path` are written.
    pub(super) keys: Vec<Span>,
    pub(super) secrets: Vec<(Span, String)>,
}

impl<'n> Walk<'n> {
    pub(super) fn new(root: View<'static>, sources: &'n Sources) -> Self {
        Self {
            sources,
            root,
            out: Vec::new(),
            path: Vec::new(),
            keys: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The node as JSON, or `None` if it has mistakes.
    pub(super) fn node(&mut self, node: &'n Node, schema: View<'static>) -> Option<Json> {
        if node.value == Value::Broken {
            return None;
        }
        match schema.kind() {
            Kind::Any => Some(super::to_json(node)),
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
    pub(super) fn child(
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
        // What is a secret by any alternative stays hidden where none of them fits.
        let mut hidden = Vec::new();
        for alternative in &fitting {
            let found = self.out.len();
            let secrets = self.secrets.len();
            let value = self.node(node, *alternative);
            let mistakes = self.out.split_off(found);
            if value.is_some() && mistakes.is_empty() {
                return value;
            }
            hidden.extend(self.secrets.split_off(secrets));
            // A choice of words is the weakest guess: any other text alternative says more.
            let weight =
                mistakes.len() + usize::from(matches!(alternative.kind(), Kind::Choice(_)));
            if best.as_ref().is_none_or(|(_, least)| weight < *least) {
                best = Some((mistakes, weight));
            }
        }
        self.secrets.append(&mut hidden);
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
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let path = describe::dotted(&self.path);
        self.out.push(diagnostic.path(path));
    }

    /// Where to point for a node that may have no text of its own, or go over many lines.
    pub(super) fn place(&self, node: &Node) -> Span {
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
