//! Lists.

use serde_json::Value as Json;

use super::{Step, describe, describe::subject, walk::Walk};
use crate::{
    diagnostic::{Diagnostic, code},
    document::{Node, Value},
    schema::View,
};

impl<'n> Walk<'n> {
    pub(super) fn list(
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
}
