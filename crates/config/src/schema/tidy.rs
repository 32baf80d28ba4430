//! What the derived schema needs before people and editors read it.

use serde_json::{Map, Value};

/// Takes out `null`, which no key accepts (a key without a value is a mistake), and the widths of
/// Rust's numbers, which say nothing that `minimum` and `maximum` don't.
pub(super) fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            without_null(map);
            if let Some(Value::String(format)) = map.get("format")
                && (format.starts_with("uint") || format.starts_with("int"))
            {
                map.remove("format");
            }
            if map.get("default") == Some(&Value::Null) {
                map.remove("default");
            }
            map.remove("title");
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = unwrapped(text);
            }
            // Schemas only: values of `default`, `examples` and `enum` are left alone.
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("properties" | "$defs" | "patternProperties", Value::Object(schemas)) => {
                        schemas.values_mut().for_each(tidy);
                    }
                    ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                        schemas.iter_mut().for_each(tidy);
                    }
                    ("items" | "additionalProperties" | "propertyNames", schema) => tidy(schema),
                    _ => {}
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn without_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(words)) = map.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Value::Array(alternatives)) = map.get_mut("anyOf") else {
        return;
    };
    alternatives.retain(|schema| schema.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(_)] = alternatives.as_slice()
        && let Some(Value::Array(mut only)) = map.remove("anyOf")
        && let Some(Value::Object(only)) = only.pop()
    {
        for (key, value) in only {
            map.entry(key).or_insert(value);
        }
    }
}

/// Doc comments are wrapped at the width of the source; readers wrap at their own.
fn unwrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        lines.join(" ")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
