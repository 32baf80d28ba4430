//! Two configurations as they are written, key by key.

use super::{Change, ChangeKind, FieldChange};
use crate::{
    document::{Node, Value},
    loaded::Loaded,
    redact::hidden,
};

pub(super) struct Compare<'a> {
    pub(super) before: &'a Loaded,
    pub(super) after: &'a Loaded,
}

impl Compare<'_> {
    /// What became of one item.
    pub(super) fn item(
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

pub(super) fn is_map(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

/// The keys of two maps with their values on both sides.
pub(super) fn pairs<'a>(
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
