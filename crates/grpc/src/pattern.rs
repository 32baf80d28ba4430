//! Messages that are written down before all of their values are known: what can be said of them
//! already.

use serde_json::Value;

use crate::{
    json::{self, Mismatch, Unknown},
    schema::{Field, Form, Kind, Label, Message, MessageId, Schema},
};

/// Why a value can't be a part of a message, whatever else will be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The names and indexes from the message down to the value.
    pub path: Vec<String>,
    /// What is wrong, in one sentence without its full stop.
    pub detail: String,
    /// The names of the fields that the message has, where it has no such field.
    pub known: Vec<String>,
}

/// What of a value does not fit a message. `open` says which texts stand for values that are not
/// known yet.
pub fn check(
    schema: &Schema,
    id: MessageId,
    value: &Value,
    open: &dyn Fn(&str) -> bool,
) -> Vec<Misfit> {
    let mut walk = Walk {
        schema,
        open,
        path: Vec::new(),
        found: Vec::new(),
    };
    walk.message(id, value);
    if walk.found.is_empty() && !walk.is_open(value) {
        // All of it is known: what only shows when it is put together, such as two fields of one oneof.
        let (text, mut out) = (value.to_string(), Vec::new());
        let written = json::encode(schema, id, &text, Unknown::Refuse, &mut out);
        walk.fail(written);
    }
    walk.found
}

struct Walk<'a> {
    schema: &'a Schema,
    open: &'a dyn Fn(&str) -> bool,
    path: Vec<String>,
    found: Vec<Misfit>,
}

impl Walk<'_> {
    /// Whether something within a value is not known yet.
    fn is_open(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => (self.open)(text),
            Value::Array(items) => items.iter().any(|item| self.is_open(item)),
            Value::Object(members) => members.values().any(|member| self.is_open(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn message(&mut self, id: MessageId, value: &Value) {
        let message = self.schema.message(id);
        match value {
            Value::Object(members) if message.form == Form::Plain => {
                for (name, member) in members {
                    self.path.push(name.clone());
                    match message.field(name) {
                        Some((_, field)) => self.field(field, member),
                        None => self.unknown(message),
                    }
                    self.path.pop();
                }
            }
            value if self.is_open(value) => {}
            value => {
                let (text, mut out) = (value.to_string(), Vec::new());
                let schema = self.schema;
                let written = json::encode(schema, id, &text, Unknown::Refuse, &mut out);
                self.fail(written);
            }
        }
    }

    fn field(&mut self, field: &Field, value: &Value) {
        match (field.label, value) {
            (_, Value::Null) => {}
            (Label::Repeated { .. }, Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(at.to_string());
                    self.one(field, item);
                    self.path.pop();
                }
            }
            (Label::Singular, value) => self.one(field, value),
            (_, value) if self.is_open(value) => {}
            (_, value) => self.whole(field, value),
        }
    }

    /// One value of a field.
    fn one(&mut self, field: &Field, value: &Value) {
        match field.kind {
            Kind::Message(id) | Kind::Group(id) => self.message(id, value),
            _ if self.is_open(value) => {
                if !value.is_string() {
                    let found = if value.is_array() {
                        "a list"
                    } else {
                        "an object"
                    };
                    self.push(format!(
                        "one simple value is expected, and {found} is there"
                    ));
                }
            }
            _ => match field.label {
                Label::Repeated { .. } => self.whole(field, &Value::Array(vec![value.clone()])),
                _ => self.whole(field, value),
            },
        }
    }

    /// A value of which all is known.
    fn whole(&mut self, field: &Field, value: &Value) {
        let (text, mut out) = (value.to_string(), Vec::new());
        let written = json::encode_field(self.schema, field, &text, Unknown::Refuse, &mut out);
        self.fail(written);
    }

    fn unknown(&mut self, message: &Message) {
        let known = message.fields.iter();
        let known = known.map(|field| field.name.to_string()).collect();
        self.push(format!("there is no such field in `{}`", message.name));
        if let Some(last) = self.found.last_mut() {
            last.known = known;
        }
    }

    fn fail(&mut self, written: Result<(), Box<Mismatch>>) {
        let Err(mismatch) = written else {
            return;
        };
        self.push(mismatch.detail().to_owned());
    }

    fn push(&mut self, detail: String) {
        self.found.push(Misfit {
            path: self.path.clone(),
            detail,
            known: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;

    use super::*;
    use crate::descriptors;

    const PROTO: &str = r#"
        syntax = "proto3";
        package t;
        import "google/protobuf/timestamp.proto";
        enum Kind { NONE = 0; NOVEL = 1; }
        message Inner { int32 number = 1; Inner inner = 2; }
        message Outer {
          string name = 1;
          int64 big = 2;
          Kind kind = 3;
          repeated Inner inners = 4;
          map<string, int32> counts = 5;
          google.protobuf.Timestamp at = 6;
          repeated string tags = 7;
          oneof one { string left = 8; string right = 9; }
        }
    "#;

    fn found(value: &Value) -> Vec<(String, String)> {
        let schema = Schema::new(&descriptors::parse(&[("t.proto", PROTO)]).unwrap());
        let id = schema.find("t.Outer").unwrap();
        let found = check(&schema, id, value, &|text| text.contains("${"));
        let found = found.into_iter();
        found
            .map(|misfit| (misfit.path.join("/"), misfit.detail))
            .collect()
    }

    #[test]
    fn what_fits_passes() {
        for value in [
            json!({}),
            json!({"name": "${a}", "big": "${b}", "kind": "${c}", "at": "${d}"}),
            json!({"name": "x-${a}", "big": "7", "kind": "NOVEL", "at": "2024-01-01T00:00:00Z"}),
            json!({"inners": "${a}", "counts": "${b}", "tags": ["a", "${b}"]}),
            json!({"inners": [{"number": 1}, {"inner": {"number": "${a}"}}, "${b}"]}),
            json!({"counts": {"a": 1}, "left": null, "right": "x"}),
            json!("${all}"),
        ] {
            assert_eq!(found(&value), [], "{value}");
        }
    }

    #[test]
    fn what_does_not_is_told_with_its_place() {
        for (value, place, detail) in [
            (
                json!({"nam": "${a}"}),
                "nam",
                "there is no such field in `t.Outer`",
            ),
            (
                json!({"inners": [{"number": "${a}"}, {"numbr": 1}]}),
                "inners/1/numbr",
                "there is no such field in `t.Inner`",
            ),
            (
                json!({"name": "${a}", "kind": "NOVELLA"}),
                "kind",
                "no value of this name",
            ),
            (json!({"name": "${a}", "big": "seven"}), "big", "integer"),
            (
                json!({"name": "${a}", "big": {"a": "${b}"}}),
                "big",
                "an object is there",
            ),
            (
                json!({"tags": ["${a}", 7]}),
                "tags/1",
                "a string is expected",
            ),
            (json!({"left": "a", "right": "b"}), "", "oneof"),
            (json!({"name": "${a}", "at": "yesterday"}), "at", ""),
            (json!([1]), "", "object"),
        ] {
            let found = found(&value);
            let [(path, told)] = found.as_slice() else {
                panic!("{value}: {found:?}");
            };
            assert_eq!(path, place, "{value}: {told}");
            assert!(told.contains(detail), "{value}: {told}");
        }
    }
}
