//! Values as YAML, for people to read.

use serde_json::Value;

/// Writes a value in block style, two spaces a level; reading it gives the value back.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, &mut out),
        Value::Array(items) if !items.is_empty() => block(value, 0, &mut out),
        scalar => {
            out.push_str(&flow(scalar));
            out.push('\n');
        }
    }
    out
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.push_str(&pad);
                out.push_str(&flow_text(key));
                out.push(':');
                below(value, indent + 2, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&pad);
                out.push('-');
                below(item, indent + 2, out);
            }
        }
        _ => {}
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    let nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(value, indent, out);
    } else {
        out.push(' ');
        out.push_str(&flow(value));
        out.push('\n');
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => flow_text(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        scalar => scalar.to_string(),
    }
}

/// A text, quoted only where YAML would read something else.
pub(crate) fn flow_text(text: &str) -> String {
    let plain = text.chars().all(|c| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                '_' | '-'
                    | '.'
                    | '/'
                    | ':'
                    | '+'
                    | '%'
                    | '$'
                    | '('
                    | ')'
                    | '='
                    | ';'
                    | ' '
                    | '<'
                    | '>'
                    | '*'
                    | '@'
                    | '~'
            )
    }) && text
        .starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '$' | '_'))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !is_other(text);
    if plain { text.to_owned() } else { quoted(text) }
}

/// Whether a plain text would be read as a number, boolean or null; also by YAML 1.1.
fn is_other(text: &str) -> bool {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | 'x' | 'o' | '_' | '+' | '-' | ':'));
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | ".inf" | ".nan"
    );
    // `0.0.0.0:8080` is a text in YAML 1.2 and no number by any rule.
    (numeric && text.parse::<f64>().is_ok())
        || text.starts_with("0x")
        || text.starts_with("0o")
        || word
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
