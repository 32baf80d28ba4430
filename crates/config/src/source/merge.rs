//! Several files as one tree.

use std::collections::HashMap;

use crate::shape::Step;
use crate::{
    diagnostic::{Diagnostic, code},
    document::{Entry, Node, Value},
    shape::owner,
    span::{Sources, Span},
};

/// Sections whose items may be spread over files.
const SPREAD: [&str; 8] = [
    "listeners",
    "services",
    "groups",
    "routes",
    "stores",
    "consumers",
    "plans",
    "errors",
];

/// Puts the files' trees together. A name that two files define is a mistake, and so is a setting
/// that two files make; only `version` may stand in each.
pub(super) fn merge(
    trees: Vec<Node>,
    sources: &Sources,
    out: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let mut sections: Vec<Entry> = Vec::new();
    let mut start: Option<Span> = None;
    for tree in trees {
        let entries = match tree.value {
            Value::Map(entries) => entries,
            Value::Null => continue,
            _ => {
                out.push(
                    Diagnostic::error(code::WRONG_TYPE, "a configuration is a map of sections")
                        .at(sources.first_line(tree.span), "")
                        .expected("`version: 1`, `listeners: …` and so on")
                        .help("begin the file with `version: 1`"),
                );
                return None;
            }
        };
        start = start.or(Some(tree.span));
        for entry in entries {
            match sections.iter_mut().find(|section| section.key == entry.key) {
                Some(section) => join(section, entry, out),
                None => sections.push(entry),
            }
        }
    }
    let Some(span) = start else {
        out.push(
            Diagnostic::error(code::NOTHING_TO_READ, "the configuration is empty")
                .help("begin with `version: 1`, then `listeners`, `services` and `routes`"),
        );
        return None;
    };
    Some(Node::new(span, Value::Map(sections)))
}

fn join(section: &mut Entry, other: Entry, out: &mut Vec<Diagnostic>) {
    let key = section.key.clone();
    match (&mut section.value.value, other.value.value) {
        (Value::Map(mine), Value::Map(theirs)) if SPREAD.contains(&key.as_str()) => {
            join_items(&key, mine, theirs, out);
        }
        (Value::List(mine), Value::List(theirs)) if key == "tests" => mine.extend(theirs),
        (mine, theirs) if key == "version" && *mine == theirs => {}
        _ => out.push(
            Diagnostic::error(code::DEFINED_TWICE, format!("`{key}` is set in two files"))
                .at(other.key_span, "second time")
                .also(section.key_span, format!("`{key}` is set here first"))
                .help("keep it in one of the files"),
        ),
    }
}

fn join_items(section: &str, mine: &mut Vec<Entry>, theirs: Vec<Entry>, out: &mut Vec<Diagnostic>) {
    let known: HashMap<String, Span> = mine
        .iter()
        .map(|entry| (entry.key.clone(), entry.key_span))
        .collect();
    for entry in theirs {
        let Some(first) = known.get(&entry.key) else {
            mine.push(entry);
            continue;
        };
        let item = owner(&[Step::Key(section), Step::Key(&entry.key)]);
        out.push(
            Diagnostic::error(
                code::DEFINED_TWICE,
                format!("{item} is defined in two files"),
            )
            .at(entry.key_span, "second time")
            .also(*first, format!("{item} is defined here first"))
            .help("give one of the two another name, or remove it"),
        );
    }
}
