//! Words for places, types and values.

use serde_json::Value as Json;

use super::Step;
use crate::{
    document::{Node, Value},
    schema::{Kind, View},
    text,
};

/// Words listed in full; more are cut short.
const LISTED: usize = 24;

/// `routes.orders.to`, `services.a.endpoints[1]`.
pub(crate) fn dotted(path: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) if out.is_empty() => out.push_str(key),
            Step::Key(key) => {
                out.push('.');
                out.push_str(key);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// What an item of a section is called.
pub(crate) fn singular(section: &str) -> Option<&'static str> {
    Some(match section {
        "listeners" => "listener",
        "services" => "service",
        "groups" => "group",
        "routes" => "route",
        "stores" => "store",
        "consumers" => "consumer",
        "plans" => "plan",
        "errors" => "error page",
        _ => return None,
    })
}

/// The thing that a path leads to, as the owner of keys: "listener `public`", "`limits` of listener
/// `public`", "the configuration".
pub(crate) fn owner(path: &[Step<'_>]) -> String {
    let (item, rest) = match path {
        [] => return "the configuration".to_owned(),
        [Step::Key(section), Step::Key(name), rest @ ..] => match singular(section) {
            Some(noun) => (format!("{noun} `{name}`"), rest),
            None => return format!("`{}`", dotted(path)),
        },
        [Step::Key("tests"), Step::Index(index), rest @ ..] => {
            (format!("test {}", index + 1), rest)
        }
        _ => return format!("`{}`", dotted(path)),
    };
    match rest {
        [] => item,
        rest => format!("`{}` of {item}", dotted(rest)),
    }
}

/// The thing that a path leads to, as what a value is given to: "`bind`", "item 2 of `endpoints`",
/// "route `orders`".
pub(crate) fn subject(path: &[Step<'_>]) -> String {
    match path {
        [] => "the configuration".to_owned(),
        [Step::Key(section), Step::Key(name)] if singular(section).is_some() => {
            format!("{} `{name}`", singular(section).unwrap_or_default())
        }
        [.., Step::Key(key)] => format!("`{key}`"),
        [.., Step::Key(key), Step::Index(index)] => format!("item {} of `{key}`", index + 1),
        _ => format!("`{}`", dotted(path)),
    }
}

/// What a schema takes, as it stands after "expected".
pub(super) fn expected(schema: View<'_>) -> String {
    match schema.kind() {
        Kind::Text { format } => match (text::noun(format), schema.example()) {
            (noun, Some(Json::String(example)))
                if !matches!(format, "" | "template" | "host-rule" | "log-target") =>
            {
                format!("{noun} such as `{example}`")
            }
            (noun, _) => noun.to_owned(),
        },
        Kind::Choice(known) => words(&known.iter().map(|word| word.word()).collect::<Vec<_>>()),
        Kind::Integer { min, max } => range(min, max),
        Kind::Tagged(tags) => {
            let keys: Vec<&str> = tags.iter().map(|(key, _)| *key).collect();
            format!("a map with one of the keys {}", list(&keys, "and"))
        }
        Kind::Record => {
            let keys: Vec<&str> = schema.properties().map(|(key, _)| key).collect();
            format!("a map with the keys {}", list(&keys, "and"))
        }
        Kind::List { items, .. } => format!("a list of {}", plural(items)),
        Kind::Map { values, .. } => format!("a map from names to {}", plural(values)),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::OneOf(alternatives) => {
            let texts: Vec<String> = alternatives.iter().map(|one| brief(*one)).collect();
            texts.join(", or ")
        }
        Kind::Any => "a value".to_owned(),
    }
}

/// [`expected`] as it fits under a caret.
pub(super) fn label(schema: View<'_>) -> String {
    let long = expected(schema);
    let text = if long.chars().count() > 80 {
        brief(schema)
    } else {
        long
    };
    format!("expected {text}")
}

/// What a schema takes, in two or three words.
pub(super) fn brief(schema: View<'_>) -> String {
    match schema.kind() {
        Kind::Text { format } => text::noun(format).to_owned(),
        Kind::Record | Kind::Tagged(_) | Kind::Map { .. } => "a map".to_owned(),
        Kind::List { items, .. } => format!("a list of {}", plural(items)),
        Kind::Integer { .. } => "a whole number".to_owned(),
        Kind::Choice(known) => words(&known.iter().map(|word| word.word()).collect::<Vec<_>>()),
        Kind::OneOf(alternatives) => {
            let mut texts: Vec<String> = alternatives.iter().map(|one| brief(*one)).collect();
            texts.dedup();
            texts.join(" or ")
        }
        Kind::Bool | Kind::Any => expected(schema),
    }
}

/// Several of what a schema takes.
pub(super) fn plural(schema: View<'_>) -> String {
    match schema.kind() {
        Kind::Text { format } => match format {
            "cidr" => "address ranges",
            "method" => "methods",
            "name" => "names",
            "bind" => "addresses",
            "host" => "hosts",
            "path" => "paths",
            "endpoint" => "URLs",
            _ => "texts",
        }
        .to_owned(),
        Kind::Integer { .. } => "numbers".to_owned(),
        Kind::Choice(known) => words(&known.iter().map(|word| word.word()).collect::<Vec<_>>()),
        Kind::OneOf(alternatives) => {
            let mut texts: Vec<String> = alternatives.iter().map(|one| plural(*one)).collect();
            texts.dedup();
            texts.join(" or ")
        }
        _ => "maps".to_owned(),
    }
}

/// "a whole number from 1 to 1024".
pub(super) fn range(min: i128, max: i128) -> String {
    let least = if min < 0 { None } else { Some(min) };
    let most = if max > i128::from(u32::MAX) {
        None
    } else {
        Some(max)
    };
    match (least, most) {
        (Some(one), Some(same)) if one == same => format!("`{one}`"),
        (Some(least), Some(most)) if most < i128::from(u32::MAX) => {
            format!("a whole number from {least} to {most}")
        }
        (Some(least), _) => format!("a whole number of at least {least}"),
        (None, Some(most)) => format!("a whole number of at most {most}"),
        (None, None) => "a whole number".to_owned(),
    }
}

/// "`a`, `b` or `c`".
pub(super) fn words(words: &[&str]) -> String {
    list(words, "or")
}

/// "`a`, `b` and `c`".
pub(crate) fn list(words: &[&str], conjunction: &str) -> String {
    let shown = words.iter().take(LISTED).map(|word| format!("`{word}`"));
    let mut shown: Vec<String> = shown.collect();
    if words.len() > LISTED {
        shown.push(format!("{} more", words.len() - LISTED));
    }
    match shown.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

/// What a node is. The text of a tainted one is not shown.
pub(super) fn found(node: &Node) -> String {
    if let Some(taint) = &node.taint {
        return format!("the value of `{}`", taint.origin);
    }
    match &node.value {
        Value::Null | Value::Broken => "nothing".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{}`", number.raw),
        Value::Text(text) if text.chars().count() <= 40 && !text.contains('\n') => {
            format!("the text `{text}`")
        }
        Value::Text(_) => "a text".to_owned(),
    }
}

/// An example of what may be written, on one line.
pub(super) fn example_of(schema: View<'_>) -> Option<String> {
    if let Some(example) = schema.example() {
        return Some(inline(example));
    }
    match schema.kind() {
        Kind::Choice(words) => words.first().map(|word| word.word().to_owned()),
        Kind::Bool => Some("true".to_owned()),
        Kind::Integer { min, .. } if min >= 0 => Some(min.max(1).to_string()),
        Kind::List { items, .. } => example_of(items).map(|item| format!("[{item}]")),
        Kind::OneOf(alternatives) => alternatives.iter().find_map(|one| example_of(*one)),
        Kind::Record => record(schema).map(|fields| format!("{{ {fields} }}")),
        _ => None,
    }
}

/// A value as flow YAML.
pub(crate) fn inline(value: &Json) -> String {
    match value {
        Json::String(text) => crate::yaml::flow_text(text),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let fields: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", crate::yaml::flow_text(key), inline(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// How to turn what was written into what is expected. Never shows a tainted text.
pub(super) fn conversion(node: &Node, schema: View<'_>, key: Option<&str>) -> Option<String> {
    if node.taint.is_some() {
        return None;
    }
    let shown = node.scalar().unwrap_or("");
    match (schema.kind(), &node.value) {
        (Kind::Bool, Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => Some(format!("write `true`; in YAML 1.2 `{text}` is a text")),
            "no" | "off" | "n" => Some(format!("write `false`; in YAML 1.2 `{text}` is a text")),
            "true" | "false" => Some(format!(
                "remove the quotes: `{}`",
                text.to_ascii_lowercase()
            )),
            _ => None,
        },
        (Kind::Bool, Value::Number(number)) => match number.raw.as_str() {
            "1" => Some("write `true`".to_owned()),
            "0" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Kind::Integer { .. }, Value::Text(text)) if text.parse::<i64>().is_ok() => {
            Some(format!("remove the quotes: `{text}`"))
        }
        (Kind::Text { .. }, Value::Number(_) | Value::Bool(_)) => {
            Some(format!("put it in quotes: `\"{shown}\"`"))
        }
        (Kind::List { .. }, Value::Text(_) | Value::Number(_)) => Some(format!(
            "write it as a list: `[{}]`",
            crate::yaml::flow_text(shown)
        )),
        (Kind::List { .. }, Value::Map(_)) => Some("begin each item with `- `".to_owned()),
        (Kind::Record | Kind::Tagged(_), Value::Text(text)) => match text.split_once(':') {
            Some((name, value)) if schema.property(name).is_some() => {
                Some(format!("put a space after the colon: `{name}: {value}`"))
            }
            _ => wrapped(schema, key, text).or_else(|| record_example(schema, key)),
        },
        (Kind::Record, _) => record_example(schema, key),
        (Kind::OneOf(alternatives), value) => {
            // Advice for the alternative that the value comes closest to.
            let texts_first = !matches!(value, Value::Map(_) | Value::List(_));
            alternatives
                .iter()
                .filter(|one| matches!(one.kind(), Kind::Text { .. }) == texts_first)
                .find_map(|one| conversion(node, *one, key))
        }
        _ => None,
    }
}

/// A record with the keys that must be there, as advice.
fn record_example(schema: View<'_>, key: Option<&str>) -> Option<String> {
    let fields = record(schema)?;
    Some(match key {
        Some(key) => format!("write for example `{key}: {{ {fields} }}`"),
        None => format!("write for example `{{ {fields} }}`"),
    })
}

/// A text put under the key that takes it: `public: { bind: 0.0.0.0:8080 }`.
fn wrapped(schema: View<'_>, key: Option<&str>, text: &str) -> Option<String> {
    fn takes(schema: View<'_>, text: &str) -> bool {
        match schema.kind() {
            Kind::Text { format } => text::check(format, text) == Some(Ok(())),
            Kind::OneOf(alternatives) => alternatives.iter().any(|one| takes(*one, text)),
            _ => false,
        }
    }
    let (name, _) = schema
        .properties()
        .find(|(_, property)| takes(*property, text))?;
    Some(format!(
        "write `{}: {{ {name}: {} }}`",
        key?,
        crate::yaml::flow_text(text)
    ))
}

/// The fields of a record that must be there, or its first.
fn record(schema: View<'_>) -> Option<String> {
    let field = |name: &str| {
        let property = schema.property(name)?;
        let value = property
            .default()
            .map(inline)
            .or_else(|| example_of(property))?;
        Some(format!("{name}: {value}"))
    };
    let required: Vec<String> = schema.required().filter_map(field).collect();
    if !required.is_empty() {
        return Some(required.join(", "));
    }
    let (first, _) = schema.properties().next()?;
    field(first)
}
