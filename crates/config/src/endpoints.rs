//! Files beside the configuration: lists of endpoints, and the YAML of others.

use std::{path::Path, sync::LazyLock};

use lintel_upstream::{
    discovery::{Entries, Found, Readers},
    service::EndpointSpec,
};
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use crate::{
    diagnostic::Diagnostic,
    document::{self, Node},
    model::Target,
    schema::{self, View},
    shape,
    span::Sources,
};

static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    schema::tidied(generator.into_root_schema_for::<Vec<Target>>())
});

/// How the files of sources are read.
pub const READERS: Readers = Readers {
    endpoints: |path, text| {
        let targets = list(path, text)?;
        let found = targets
            .iter()
            .map(|target| Found::from(EndpointSpec::from(target)));
        Ok(Entries {
            found: found.collect(),
            unusable: Vec::new(),
        })
    },
    yaml: value,
};

/// A list of endpoints, written as in the configuration.
///
/// # Errors
/// The first mistake, with its line and what to write instead, on one line.
fn list(path: &Path, text: &str) -> Result<Vec<Target>, String> {
    let (sources, tree) = parse(path, text)?;
    let mut out = Vec::new();
    let shaped = shape::walk(&tree, View::root(&SCHEMA), &sources, &mut out);
    if let Some(first) = out.first() {
        return Err(explain(&sources, first));
    }
    let shown = path.display();
    let value = shaped.value.unwrap_or_default();
    serde_json::from_value(value).map_err(|error| format!("{shown}: {error}"))
}

/// Any YAML as a value.
///
/// # Errors
/// The first mistake, with its line.
fn value(path: &Path, text: &str) -> Result<Json, String> {
    parse(path, text).map(|(_, tree)| shape::to_json(&tree))
}

fn parse(path: &Path, text: &str) -> Result<(Sources, Node), String> {
    let mut sources = Sources::default();
    let index = sources.add(path.to_owned(), text);
    let mut out = Vec::new();
    let tree = document::parse(&sources, index, &mut out);
    match (out.first(), tree) {
        (Some(first), _) => Err(explain(&sources, first)),
        (None, Some(tree)) => Ok((sources, tree)),
        // As likely as not it is just being written.
        (None, None) => Err(format!(
            "{}: the file is empty (write `[]` for a list of nothing)",
            path.display()
        )),
    }
}

fn explain(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let place = diagnostic.primary.as_ref().and_then(|label| {
        let source = sources.get(label.span.source)?;
        let position = sources.position(label.span.source, label.span.start);
        Some(format!(
            "{}:{}:{}: ",
            source.name(),
            position.line,
            position.column
        ))
    });
    let help = diagnostic.help.as_ref().or(diagnostic.expected.as_ref());
    let help = help.map_or_else(String::new, |help| format!(" ({help})"));
    let place = place.unwrap_or_default();
    format!("{place}{}{help}", diagnostic.message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn listed(text: &str) -> Result<Vec<(String, u32)>, String> {
        let targets = list(Path::new("orders.yaml"), text)?;
        let shown = targets.iter();
        Ok(shown
            .map(|target| (target.endpoint().to_string(), target.weight()))
            .collect())
    }

    #[test]
    fn a_list_is_written_as_in_the_configuration() {
        let yaml = "- http://10.0.0.7:8080\n- { url: http://10.0.0.8, weight: 3 }\n";
        let json = r#"["http://10.0.0.7:8080", {"url": "http://10.0.0.8:80", "weight": 3}]"#;
        let wanted = [
            ("http://10.0.0.7:8080".to_owned(), 1),
            ("http://10.0.0.8:80".to_owned(), 3),
        ];
        assert_eq!(listed(yaml).unwrap(), wanted);
        assert_eq!(listed(json).unwrap(), wanted);
        assert_eq!(listed("[]").unwrap(), []);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, told) in [
            ("", "orders.yaml: the file is empty"),
            ("- http://10.0.0.7\n- 10.0.0.8:80\n", "orders.yaml:2:3: "),
            ("- { url: http://10.0.0.7, wieght: 2 }\n", "orders.yaml:1:"),
            ("endpoints: []\n", "orders.yaml:1:1: "),
            ("[\"http://10.0.0.7\"", "orders.yaml:1:"),
        ] {
            let error = listed(text).unwrap_err();
            assert!(error.starts_with(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn yaml_of_others_is_read_as_it_is() {
        let read = value(Path::new("x"), "a: { b: [1, true, c] }\n").unwrap();
        assert_eq!(read, serde_json::json!({ "a": { "b": [1, true, "c"] } }));
        assert!(value(Path::new("x"), "a: [").is_err());
    }
}
