//! What changed between two configurations, item by item.

use serde_json::Value as Json;

use crate::{
    document::{Node, Value},
    loaded::Loaded,
    redact::hidden,
    shape::Step,
    shape::owner,
};

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is there in both and not the same.
    Changed,
}

/// An item that is not the same in both configurations.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its path: `routes.orders`, or `log` for a section without named items.
    pub path: String,
    /// What to call it: "route `orders`".
    pub item: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// For a changed item: its fields that are not the same.
    pub fields: Vec<FieldChange>,
}

/// A field that is not the same. Hidden values are `***`, so two different secrets look alike.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path below the item: `match.path`.
    pub path: String,
    /// What it was; `None` if it was not written.
    pub before: Option<Json>,
    /// What it is; `None` if it is not written.
    pub after: Option<Json>,
}

/// Sections of named items.
const NAMED: [&str; 5] = ["listeners", "stores", "services", "routes", "errors"];

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

struct Compare<'a> {
    before: &'a Loaded,
    after: &'a Loaded,
}

impl Compare<'_> {
    fn item(
        &self,
        path: String,
        item: String,
        old: Option<&Node>,
        new: Option<&Node>,
    ) -> Option<Change> {
        let mut fields = Vec::new();
        let kind = match (old, new) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(old), Some(new)) => {
                self.fields(old, new, "", &mut fields);
                ChangeKind::Changed
            }
            (None, _) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
        };
        Some(Change {
            path,
            item,
            kind,
            fields,
        })
    }

    /// Descends into maps; lists are compared as a whole, because their items have no names.
    fn fields(&self, old: &Node, new: &Node, path: &str, out: &mut Vec<FieldChange>) {
        if !is_map(old) || !is_map(new) {
            out.push(FieldChange {
                path: path.to_owned(),
                before: Some(hidden(old, &self.before.sources)),
                after: Some(hidden(new, &self.after.sources)),
            });
            return;
        }
        for (key, old, new) in pairs(old, new) {
            let path = match path {
                "" => key.to_owned(),
                path => format!("{path}.{key}"),
            };
            match (old, new) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) => self.fields(old, new, &path, out),
                (old, new) => out.push(FieldChange {
                    path,
                    before: old.map(|old| hidden(old, &self.before.sources)),
                    after: new.map(|new| hidden(new, &self.after.sources)),
                }),
            }
        }
    }
}

fn is_map(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

/// The keys of two maps with their values on both sides.
fn pairs<'a>(
    old: &'a Node,
    new: &'a Node,
) -> impl Iterator<Item = (&'a str, Option<&'a Node>, Option<&'a Node>)> {
    let index = |node: &'a Node| -> std::collections::HashMap<&'a str, &'a Node> {
        let entries = node.entries().iter();
        entries
            .map(|entry| (entry.key.as_str(), &entry.value))
            .collect()
    };
    let (olds, news) = (index(old), index(new));
    let added = new
        .entries()
        .iter()
        .filter(move |entry| !olds.contains_key(entry.key.as_str()))
        .map(|entry| (entry.key.as_str(), None, Some(&entry.value)));
    old.entries()
        .iter()
        .map(move |entry| {
            let new = news.get(entry.key.as_str()).copied();
            (entry.key.as_str(), Some(&entry.value), new)
        })
        .chain(added)
}
