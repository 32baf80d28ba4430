//! What changed between two configurations, item by item.

mod compare;
mod effective;

use serde::Serialize;
use serde_json::Value as Json;

pub use effective::diff_effective;

use self::compare::{Compare, is_map, pairs};
use crate::{
    document::{Node, Value},
    loaded::Loaded,
    shape::{Step, owner},
};

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is there in both and not the same.
    Changed,
}

/// An item that is not the same in both configurations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Its path: `routes.orders`, or `log` for a section without named items.
    pub path: String,
    /// What to call it: "route `orders`".
    pub item: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// For a changed item: its fields that are not the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// A field that is not the same. Hidden values are `***`, so two different secrets look alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Its path below the item: `match.path`.
    pub path: String,
    /// What it was; `None` if it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What it is; `None` if it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
}

/// Sections of named items.
const NAMED: [&str; 8] = [
    "listeners",
    "groups",
    "stores",
    "consumers",
    "plans",
    "services",
    "routes",
    "errors",
];

/// What changed from one configuration to another. Items are in the order of the first; new ones
/// follow. The order of keys, comments and the files things are written in make no difference.
pub fn diff(before: &Loaded, after: &Loaded) -> Vec<Change> {
    let compare = Compare { before, after };
    let mut changes = Vec::new();
    for (key, old, new) in pairs(&before.tree, &after.tree) {
        let named = NAMED.contains(&key) && [old, new].into_iter().flatten().all(is_map);
        if !named {
            changes.extend(compare.item(key.to_owned(), format!("`{key}`"), old, new));
            continue;
        }
        let empty = Node::new(before.tree.span, Value::Map(Vec::new()));
        for (name, old, new) in pairs(old.unwrap_or(&empty), new.unwrap_or(&empty)) {
            let item = owner(&[Step::Key(key), Step::Key(name)]);
            changes.extend(compare.item(format!("{key}.{name}"), item, old, new));
        }
    }
    changes
}
