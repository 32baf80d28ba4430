//! The configuration as it may be shown.

use serde_json::{Map, Value as Json};

use crate::{
    document::{Node, Value},
    schema::{Kind, View},
    shape::to_json,
    span::Sources,
};

/// What stands for a value that is not shown.
pub(crate) const HIDDEN: &str = "***";

/// The tree with defaults filled in and hidden values replaced.
pub(crate) fn effective(node: &Node, schema: View<'_>, sources: &Sources) -> Json {
    if node.taint.is_some() || sources.is_secret(node.span) && node.scalar().is_some() {
        return Json::String(HIDDEN.to_owned());
    }
    match (schema.kind(), &node.value) {
        (Kind::Record, Value::Map(entries)) => {
            let mut fields = Map::new();
            for (key, property) in schema.properties() {
                let written = entries.iter().find(|entry| entry.key == key);
                match (written, property.default()) {
                    (Some(entry), _) => {
                        fields.insert(key.to_owned(), effective(&entry.value, property, sources));
                    }
                    (None, Some(default)) => {
                        fields.insert(key.to_owned(), default.clone());
                    }
                    (None, None) => {}
                }
            }
            Json::Object(fields)
        }
        (Kind::Map { values, .. }, Value::Map(entries)) => entries
            .iter()
            .map(|entry| (entry.key.clone(), effective(&entry.value, values, sources)))
            .collect(),
        (Kind::Tagged(tags), Value::Map(entries)) => entries
            .iter()
            .map(|entry| {
                let variant = tags.iter().find(|(key, _)| *key == entry.key);
                let value = match variant {
                    Some((_, variant)) => effective(&entry.value, *variant, sources),
                    None => hidden(&entry.value, sources),
                };
                (entry.key.clone(), value)
            })
            .collect(),
        (Kind::List { items, .. }, Value::List(nodes)) => nodes
            .iter()
            .map(|node| effective(node, items, sources))
            .collect(),
        (Kind::OneOf(alternatives), _) => {
            let fitting = alternatives.iter().find(|one| match one.kind() {
                Kind::Record | Kind::Map { .. } | Kind::Tagged(_) => {
                    matches!(node.value, Value::Map(_))
                }
                Kind::List { .. } => matches!(node.value, Value::List(_)),
                _ => node.scalar().is_some(),
            });
            match fitting {
                Some(one) => effective(node, *one, sources),
                None => hidden(node, sources),
            }
        }
        _ => hidden(node, sources),
    }
}

/// The tree as it is written, hidden values replaced.
pub(crate) fn hidden(node: &Node, sources: &Sources) -> Json {
    match &node.value {
        _ if node.taint.is_some() => Json::String(HIDDEN.to_owned()),
        Value::List(items) => items.iter().map(|item| hidden(item, sources)).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), hidden(&entry.value, sources)))
            .collect(),
        _ if sources.is_secret(node.span) => Json::String(HIDDEN.to_owned()),
        _ => to_json(node),
    }
}
