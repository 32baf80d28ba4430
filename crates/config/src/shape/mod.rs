//! Whether the tree has the shape of the language: all mistakes at once, each at its place.
//!
//! The walk goes over tree and schema together. It returns the tree as JSON, ready to be
//! deserialised: paths resolved, texts from the environment converted where a number is wanted, and
//! named items that have mistakes left out, so that the others can still be checked for what comes
//! after the shape.

mod describe;
mod list;
mod record;
mod scalar;
mod suggest;
mod walk;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::{
    diagnostic::Diagnostic,
    document::{Entry, Node, Numeric, Value},
    schema::View,
    span::{Sources, Span},
};

pub(crate) use describe::{inline, list, owner};
pub(crate) use scalar::caret;
pub(crate) use suggest::nearest;
use walk::Walk;

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
    let mut walk = Walk::new(schema, sources);
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

/// A node as JSON that is written as it goes, without a copy of it in memory: the same text for maps
/// whose keys stand in another order.
pub(crate) struct Ordered<'n>(pub(crate) &'n Node);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.value {
            Value::Null | Value::Broken => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Number(number) => number_to_json(number.value).serialize(serializer),
            Value::List(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Map(entries) => {
                let mut entries: Vec<&Entry> = entries.iter().collect();
                entries.sort_unstable_by_key(|entry| &entry.key);
                let entries = entries.into_iter();
                serializer.collect_map(entries.map(|entry| (&entry.key, Ordered(&entry.value))))
            }
        }
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
