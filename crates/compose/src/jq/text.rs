//! Values as JSON text.

use std::io::Write as _;

use jaq_json::Num;

use super::{budget, value::Value};

/// The value of a JSON text, nested no deeper than 127 levels.
///
/// # Errors
/// It is not JSON.
pub(crate) fn read(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// Writes a value as JSON. What jq has beyond JSON becomes what jq makes of it: numbers that are none
/// become `null`.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Num(Num::Int(number)) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        Value::Num(Num::Float(number)) if !number.is_finite() => out.extend_from_slice(b"null"),
        Value::Num(number) => {
            // Writing to a Vec can't fail.
            let _ = write!(out, "{number}");
        }
        Value::Text(text) => string(text, out),
        Value::List(list) => {
            out.push(b'[');
            for (place, item) in list.items().iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (place, (name, value)) in object.members().iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
    budget::sized(out.len());
}

/// The text of a value, as a value.
pub(super) fn written(value: &Value) -> Value {
    let mut out = Vec::new();
    write(value, &mut out);
    Value::text(out)
}

/// Writes a string with its quotation marks.
pub(crate) fn string(text: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(text);
    // Writing to a Vec can't fail, and neither can a string.
    let _ = serde_json::to_writer(out, &*text);
}
