//! Consumers and plans in a file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lintel_kernel::Fault;
use lintel_state::store::Record;

use super::{entry::Kind, register::Register};
use crate::{
    diagnostic::{Diagnostic, Report, Style, code},
    document::Node,
    loaded::fnv,
    schema,
    shape::{self, Shaped},
    source::{self, Environment},
    span::{Source, Sources, Span},
};

/// A file of consumers and plans, of which nothing is made yet.
pub(crate) struct Written {
    sources: Sources,
    out: Vec<Diagnostic>,
    /// The same as long as the file says the same, which costs a hundredth of reading it; none where that
    /// depends on other files or on variables, or where there is nothing.
    pub(crate) mark: Option<u64>,
}

/// Takes in a file.
pub(crate) fn open(path: &Path) -> Written {
    let (mut sources, mut out) = (Sources::default(), Vec::new());
    source::one(path, &mut sources, &mut out);
    let text = sources.get(0).map(Source::text);
    let mark = text.filter(|text| !text.contains("${"));
    let mark = mark.map(|text| fnv(text.as_bytes()));
    Written { sources, out, mark }
}

/// Reads a file of consumers and plans, and holds it against a configuration.
///
/// # Errors
/// All that is wrong in the file.
pub(crate) fn read(
    written: Written,
    environment: &Environment<'_>,
    most: usize,
    register: &Register,
) -> Result<Vec<Record>, Report> {
    let Written {
        mut sources,
        mut out,
        ..
    } = written;
    let tree = match out.is_empty() {
        true => source::tree(&sources, environment, &mut out).map(|read| read.tree),
        false => None,
    };
    let Some(tree) = tree else {
        return match out.is_empty() {
            // An empty file is one without entries.
            true => Ok(Vec::new()),
            false => Err(Report::new(Arc::new(sources), out)),
        };
    };
    let records = records(&tree, &mut sources, &mut out);
    if records.len() > most {
        let message = format!("there are more than {most} consumers and plans");
        let diagnostic = Diagnostic::error(code::TOO_LARGE, message);
        let diagnostic = diagnostic.at(sources.first_line(tree.span), "");
        out.push(diagnostic.help("raise `directory.max_entries`"));
    }
    let sources = Arc::new(sources);
    if out.is_empty() {
        let faults = register.try_out(records.clone()).into_iter();
        out.extend(faults.map(|(kind, name, fault)| shown(&tree, &sources, kind, &name, &fault)));
    }
    match out.is_empty() {
        true => Ok(records),
        false => Err(Report::new(sources, out)),
    }
}

/// One entry in YAML or JSON, as the text that is kept of it.
///
/// # Errors
/// All that is wrong with its shape, as it is shown.
pub(super) fn entry(kind: Kind, name: &str, text: &str) -> Result<Arc<str>, String> {
    let (mut sources, mut out) = (Sources::default(), Vec::new());
    sources.add(PathBuf::from(&*kind.record(name)), text);
    // What somebody sends must not read the gateway's own variables and files.
    let tree = crate::document::parse(&sources, 0, &mut out);
    let value = tree.and_then(|tree| of_kind(kind, &tree, &mut sources, &mut out));
    match (value, out.is_empty()) {
        (Some(value), true) => Ok(value.to_string().into()),
        (None, true) => Err(
            "send what the consumer or plan has, in JSON or YAML; `{}` for nothing\n".to_owned(),
        ),
        (_, false) => Err(Report::new(Arc::new(sources), out).render(&Style::plain())),
    }
}

fn records(tree: &Node, sources: &mut Sources, out: &mut Vec<Diagnostic>) -> Vec<Record> {
    let mut records = Vec::new();
    for section in tree.entries() {
        let kind = [Kind::Consumer, Kind::Plan].into_iter();
        let Some(kind) = kind.clone().find(|kind| kind.section() == section.key) else {
            let message = format!("`{}` is none of the sections of such a file", section.key);
            let diagnostic = Diagnostic::error(code::UNKNOWN_KEY, message).at(section.key_span, "");
            out.push(diagnostic.help("it has the sections `consumers` and `plans`"));
            continue;
        };
        let value = schema::root().property(kind.section());
        let walked = value.map(|schema| walked(&section.value, schema, sources, out));
        let entries = walked.flatten();
        let entries = entries.as_ref().and_then(serde_json::Value::as_object);
        for (name, value) in entries.into_iter().flatten() {
            records.push(Record {
                name: kind.record(name),
                number: records.len() as u64 + 1,
                text: Some(value.to_string().into()),
            });
        }
    }
    if tree.entries().is_empty() {
        let message = "this is no list of consumers and plans";
        let diagnostic = Diagnostic::error(code::INVALID, message);
        let diagnostic = diagnostic.at(sources.first_line(tree.span), "");
        out.push(
            diagnostic.help("write the sections `consumers` and `plans`, as in a configuration"),
        );
    }
    records
}

fn of_kind(
    kind: Kind,
    tree: &Node,
    sources: &mut Sources,
    out: &mut Vec<Diagnostic>,
) -> Option<serde_json::Value> {
    let schema = schema::root().property(kind.section())?;
    let crate::schema::Kind::Map { values, .. } = schema.kind() else {
        return None;
    };
    walked(tree, values, sources, out)
}

fn walked(
    node: &Node,
    schema: schema::View<'static>,
    sources: &mut Sources,
    out: &mut Vec<Diagnostic>,
) -> Option<serde_json::Value> {
    let Shaped { value, secrets } = shape::walk(node, schema, sources, out);
    sources.hide(secrets.iter().map(|(span, _)| *span));
    value
}

/// A mistake in an entry, at its place.
fn shown(tree: &Node, sources: &Sources, kind: Kind, name: &str, fault: &Fault) -> Diagnostic {
    let path = [kind.section(), name].into_iter();
    let path: Vec<&str> = path.chain(fault.path.iter().map(String::as_str)).collect();
    let mut place = tree;
    for step in &path {
        match place.find(&[step]) {
            Some(next) => place = next,
            None => break,
        }
    }
    let hidden = place.is_tainted() || sources.is_secret(place.span);
    let message = match hidden && !fault.discreet {
        true => format!("the value of `{}` can't be used", path.join(".")),
        false => fault.message.clone(),
    };
    let span: Span = sources.first_line(place.span);
    let help = fault.hint.clone().filter(|_| !hidden || fault.discreet);
    let help = help
        .unwrap_or_else(|| "part of it comes from outside, so no more can be said here".to_owned());
    Diagnostic::error(code::INVALID_VALUE, message)
        .at(span, "")
        .help(help)
        .path(path.join("."))
}
