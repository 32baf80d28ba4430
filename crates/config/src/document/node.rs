use std::fmt;

use crate::span::Span;

/// One value of a file.
#[derive(Clone)]
pub(crate) struct Node {
    /// Where it is written. For an alias, where the anchor is.
    pub(crate) span: Span,
    pub(crate) value: Value,
    /// Set if part of the value came from the environment or another file.
    pub(crate) taint: Option<Box<Taint>>,
}

/// What a node is, by the core schema of YAML 1.2: `yes` and `off` are texts.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Apart, for it takes twice the room of all else, and there are few.
    Number(Box<Number>),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was already reported; every check passes over it.
    Broken,
}

/// A number and how it was written, so that `1.10` can stay what it is.
#[derive(Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) raw: String,
    pub(crate) value: Numeric,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Numeric {
    Int(i128),
    Float(f64),
}

/// One key of a map and its value.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// What was put into a text at load. No message, no diff and no `Debug` shows such a text.
#[derive(Clone)]
pub(crate) struct Taint {
    /// What was asked for: `${env.TOKEN}`.
    pub(crate) origin: String,
    /// The text with `$` doubled in what was put in: the form for texts in which `${…}` is
    /// evaluated per request, so that a secret with a dollar sign in it stays as it is.
    pub(crate) escaped: String,
}

impl Node {
    pub(crate) fn new(span: Span, value: Value) -> Self {
        Self {
            span,
            value,
            taint: None,
        }
    }

    /// The value of a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key, if this is a map that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries, if this is a map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items, if this is a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// A scalar as it was written.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Number(number) => Some(&number.raw),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Broken => None,
        }
    }

    /// The node at the end of a path; a step is a key, or an index in a list.
    pub(crate) fn find<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        let Some((step, rest)) = path.split_first() else {
            return Some(self);
        };
        let step = step.as_ref();
        let child = match &self.value {
            Value::List(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => self.get(step)?,
        };
        child.find(rest)
    }

    /// Whether this or anything below it is tainted.
    pub(crate) fn is_tainted(&self) -> bool {
        self.taint.is_some()
            || self.items().iter().any(Self::is_tainted)
            || self.entries().iter().any(|entry| entry.value.is_tainted())
    }

    /// How many levels it has; a scalar has one.
    pub(super) fn depth(&self) -> usize {
        let items = self.items().iter().map(Self::depth);
        let entries = self.entries().iter().map(|entry| entry.value.depth());
        1 + items.chain(entries).max().unwrap_or(0)
    }

    /// How many nodes it has, itself included.
    pub(super) fn count(&self) -> usize {
        let items = self.items().iter().map(Self::count);
        let entries = self.entries().iter().map(|entry| entry.value.count());
        1 + items.chain(entries).sum::<usize>()
    }
}

/// Equal values; places don't count, and the order of keys does not either.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Map(mine), Value::Map(theirs)) => {
                mine.len() == theirs.len()
                    && mine
                        .iter()
                        .all(|entry| other.get(&entry.key) == Some(&entry.value))
            }
            (mine, theirs) => mine == theirs,
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            _ if self.taint.is_some() => f.write_str("***"),
            Value::List(items) => f.debug_list().entries(items).finish(),
            Value::Map(entries) => f
                .debug_map()
                .entries(entries.iter().map(|entry| (&entry.key, &entry.value)))
                .finish(),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Null => f.write_str("null"),
            Value::Broken => f.write_str("?"),
            Value::Bool(_) | Value::Number(_) => f.write_str(self.scalar().unwrap_or("")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Node};

    /// There is one for each of a hundred thousand consumers, and several for what each has.
    #[test]
    fn nodes_stay_small() {
        assert!(size_of::<Node>() <= 56, "{}", size_of::<Node>());
        assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
    }
}
