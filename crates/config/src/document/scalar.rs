//! Plain scalars by the core schema (YAML 1.2.2 §10.3.2).

use super::{Number, Numeric, Value};

/// What a plain scalar is.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(value) => Value::Number(Box::new(Number {
                raw: text.to_owned(),
                value,
            })),
            None => Value::Text(text.to_owned()),
        },
    }
}

fn number(text: &str) -> Option<Numeric> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return int(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return int(digits, 8);
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(Numeric::Float(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if unsigned.len() == text.len() => {
            return Some(Numeric::Float(f64::NAN));
        }
        _ => {}
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let value = text.strip_prefix('+').unwrap_or(text).parse().ok();
        return value.map(Numeric::Int).or_else(|| float(text));
    }
    let looks_so = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    looks_so.then(|| float(text)).flatten()
}

fn int(digits: &str, radix: u32) -> Option<Numeric> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok().map(Numeric::Int)
}

fn float(text: &str) -> Option<Numeric> {
    text.parse().ok().map(Numeric::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_core_schema_makes_values() {
        for text in [
            "yes", "no", "on", "off", "y", "1_000", "0b1", "1.2.3", "10s", "+", "-", ".", "0x",
            "1e", "e1", "0x-1", "::", "TrUe", "infinity", "nan",
        ] {
            assert!(matches!(resolve(text), Value::Text(_)), "{text}");
        }
        for (text, value) in [
            ("10", 10),
            ("-3", -3),
            ("+3", 3),
            ("0x1F", 31),
            ("0o17", 15),
        ] {
            assert!(
                matches!(resolve(text), Value::Number(number) if number.value == Numeric::Int(value)),
                "{text}"
            );
        }
        for text in ["1.5", ".5", "1e3", "-2.5E-1", ".inf", "-.inf", ".nan", "1."] {
            assert!(
                matches!(resolve(text), Value::Number(number) if matches!(number.value, Numeric::Float(_))),
                "{text}"
            );
        }
        assert!(matches!(resolve(""), Value::Null));
        assert!(matches!(resolve("True"), Value::Bool(true)));
    }
}
