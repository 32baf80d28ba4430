//! Diagnostics for programs.

use serde_json::{Value, json};

use super::{Diagnostic, Report};
use crate::span::{Sources, Span};

pub(super) fn report(report: &Report) -> Value {
    let sources = report.sources();
    report
        .diagnostics()
        .iter()
        .map(|diagnostic| object(diagnostic, sources))
        .collect()
}

fn object(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let related: Vec<Value> = diagnostic
        .secondary
        .iter()
        .map(|label| with_place(json!({ "message": label.text }), label.span, sources))
        .collect();
    let object = json!({
        "severity": diagnostic.severity.name(),
        "code": diagnostic.code,
        "message": diagnostic.message,
        "expected": diagnostic.expected,
        "help": diagnostic.help,
        "path": diagnostic.path,
        "related": related,
    });
    match &diagnostic.primary {
        Some(label) => with_place(object, label.span, sources),
        None => object,
    }
}

fn with_place(mut object: Value, span: Span, sources: &Sources) -> Value {
    let (from, to) = (
        sources.position(span.source, span.start),
        sources.position(span.source, span.end),
    );
    if let Some(map) = object.as_object_mut() {
        let file = sources.get(span.source).map(|source| source.name());
        map.insert("file".into(), file.into());
        map.insert("line".into(), from.line.into());
        map.insert("column".into(), from.column.into());
        map.insert("end_line".into(), to.line.into());
        map.insert("end_column".into(), to.column.into());
    }
    object
}
