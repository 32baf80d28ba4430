#![allow(clippy::unwrap_used, clippy::panic)]
use serde_json::Value;

use super::*;

/// Calls `visit` with the path of every key of the language.
fn walk(view: View<'_>, path: &str, visit: &mut impl FnMut(&str, View<'_>)) {
    match view.kind() {
        Kind::Record => {
            for (key, property) in view.properties() {
                let path = format!("{path}.{key}");
                visit(&path, property);
                walk(property, &path, visit);
            }
        }
        Kind::Map { values, .. } => walk(values, &format!("{path}.*"), visit),
        Kind::List { items, .. } => walk(items, &format!("{path}[]"), visit),
        Kind::Tagged(tags) => {
            for (key, variant) in tags {
                walk(variant, &format!("{path}.{key}"), visit);
            }
        }
        Kind::OneOf(alternatives) => {
            for alternative in alternatives {
                walk(alternative, path, visit);
            }
        }
        Kind::Choice(_) | Kind::Text { .. } | Kind::Integer { .. } | Kind::Bool | Kind::Any => {}
    }
}

#[test]
fn every_key_is_described() {
    let mut bare = Vec::new();
    let mut seen = 0;
    walk(root(), "", &mut |path, property| {
        seen += 1;
        if property.own_description().is_none() {
            bare.push(path.to_owned());
        }
    });
    assert!(seen > 120, "only {seen} keys were seen");
    assert_eq!(bare, Vec::<String>::new(), "keys without a doc comment");
}

#[test]
fn every_word_of_a_choice_is_described() {
    let mut bare = Vec::new();
    walk(root(), "", &mut |path, property| {
        if let Kind::Choice(words) = property.kind() {
            bare.extend(
                words
                    .iter()
                    .filter(|word| word.own_description().is_none())
                    .map(|word| format!("{path}: {}", word.word())),
            );
        }
    });
    assert_eq!(bare, Vec::<String>::new(), "words without a doc comment");
}

#[test]
fn nothing_accepts_null() {
    fn nulls(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                let has = match map.get("type") {
                    Some(Value::String(name)) => name == "null",
                    Some(Value::Array(names)) => names.contains(&"null".into()),
                    _ => false,
                };
                if has {
                    out.push(path.to_owned());
                }
                for (key, value) in map {
                    nulls(value, &format!("{path}/{key}"), out);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| nulls(item, path, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    nulls(schema(), "", &mut out);
    assert_eq!(out, Vec::<String>::new());
}

#[test]
fn every_format_has_a_parser_and_every_example_fits() {
    let mut seen = Vec::new();
    walk(root(), "", &mut |path, property| {
        if let Kind::Text { format } = property.kind()
            && !matches!(format, "" | "secret")
        {
            seen.push(format.to_owned());
            let example = property.example().and_then(Value::as_str);
            let example = example.unwrap_or_else(|| panic!("{path} has no example"));
            let fit = crate::text::check(format, example);
            assert_eq!(fit, Some(Ok(())), "{path}: {format}: {example}");
        }
    });
    assert!(seen.len() > 20);
}

#[test]
fn defaults_of_plain_values_are_in_the_schema() {
    let at = |path: &[&str]| {
        let mut view = root();
        for key in path {
            view = match view.kind() {
                Kind::Map { values, .. } if *key == "*" => values,
                _ => view.property(key).unwrap(),
            };
        }
        view.default().cloned().unwrap()
    };
    assert_eq!(at(&["drain_timeout"]), "30s");
    assert_eq!(at(&["log", "level"]), "info");
    assert_eq!(at(&["listeners", "*", "limits", "body"]), "10MiB");
    assert_eq!(
        at(&["listeners", "*", "limits", "h2", "concurrent_streams"]),
        128
    );
    assert_eq!(at(&["services", "*", "balance"]), "round_robin");
}
