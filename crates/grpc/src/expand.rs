//! The other way round: the message of a call → the request that its binding has for it, and the
//! body of a REST answer → a message.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::{
    binding::{Binding, BodyTo, FieldAt, Target},
    json::{self, Style, Unknown},
    schema::{Kind, Schema},
    template::Segment,
    wire,
};

/// What is written as it is in a path or a query (RFC 3986 §2.3, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A REST request that says what a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRequest {
    /// Its method; `POST` where the binding takes all.
    pub verb: http::Method,
    /// Path and query.
    pub target: String,
    /// JSON, where there is a body.
    pub body: Option<Vec<u8>>,
}

impl Binding {
    /// The request that leads to this method with this message.
    ///
    /// # Errors
    /// A message that is none, or that has something for which the request has no place: a sentence
    /// for the caller.
    pub fn request_of(
        &self,
        schema: &Schema,
        message: &[u8],
        style: Style,
    ) -> Result<RestRequest, String> {
        let (mut fields, style) = self.fields_of(schema, message, style)?;
        let mut target = self.path_of(schema, &mut fields, style)?;
        let body = self.held(schema, &mut fields, style);
        let mut query = String::new();
        for (name, value) in &fields {
            flatten(name, value, &mut query)?;
        }
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        Ok(RestRequest {
            verb: self.verb.clone().unwrap_or(http::Method::POST),
            target,
            body: body.map(|body| body.to_string().into_bytes()),
        })
    }

    /// The body that a message makes which is not the first of its stream: what its path and its query
    /// would be has been said.
    ///
    /// # Errors
    /// The message can't be read.
    pub fn body_of(
        &self,
        schema: &Schema,
        message: &[u8],
        style: Style,
    ) -> Result<Vec<u8>, String> {
        let (mut fields, style) = self.fields_of(schema, message, style)?;
        for target in &self.variables {
            let _ = take(schema, &mut fields, &target.path, style);
        }
        let body = self.held(schema, &mut fields, style);
        Ok(body.unwrap_or_default().to_string().into_bytes())
    }

    /// The fields of a message as JSON has them, those with their default value left out.
    fn fields_of(
        &self,
        schema: &Schema,
        message: &[u8],
        style: Style,
    ) -> Result<(Map<String, Value>, Style), String> {
        let style = Style {
            defaults: false,
            ..style
        };
        let mut text = Vec::new();
        json::decode(schema, self.method.input, message, style, &mut text)
            .map_err(|error| format!("The message can't be read: {}.", error.detail))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(fields)) => Ok((fields, style)),
            _ => Err("The message is no JSON object.".to_owned()),
        }
    }

    /// What goes into the body, which is taken out of the message.
    fn held(
        &self,
        schema: &Schema,
        fields: &mut Map<String, Value>,
        style: Style,
    ) -> Option<Value> {
        match self.body {
            BodyTo::Nothing => None,
            BodyTo::Message => Some(Value::Object(std::mem::take(fields))),
            BodyTo::Field(at) => {
                let name = at.field(schema).map(|field| shown(field, style));
                name.and_then(|name| fields.shift_remove(name))
            }
        }
    }

    /// The path, with the fields in it, which are taken out of the message.
    fn path_of(
        &self,
        schema: &Schema,
        fields: &mut Map<String, Value>,
        style: Style,
    ) -> Result<String, String> {
        let mut path = String::new();
        let mut at = 0;
        while let Some(segment) = self.template.segments.get(at) {
            let variable = self.variables.iter().zip(&self.template.variables);
            let variable = variable.clone().find(|(target, _)| target.begin == at);
            if let Some((target, variable)) = variable {
                let text = take(schema, fields, &target.path, style).unwrap_or_default();
                self.place(target, &text, &mut path)
                    .ok_or_else(|| format!("`{}` does not fit the path.", variable.field))?;
                at += target.count.max(1);
                continue;
            }
            let Segment::Literal(literal) = segment else {
                return Err("The path has a part that no field fills.".to_owned());
            };
            path.push('/');
            path.push_str(literal);
            at += 1;
        }
        if let Some(verb) = &self.template.verb {
            path.push(':');
            path.push_str(verb);
        }
        Ok(path)
    }

    /// Writes a field's text into its place. None where it does not fit there: a part that is empty,
    /// or that a server would take for a step in the path (RFC 3986 §3.3).
    fn place(&self, target: &Target, text: &str, path: &mut String) -> Option<()> {
        let end = target.begin + target.count;
        let pattern = self.template.segments.get(target.begin..end)?;
        let single = pattern.len() == 1 && pattern.first() == Some(&Segment::Any);
        let mut parts: Vec<&str> = match single {
            true => vec![text],
            false => text.split('/').collect(),
        };
        let mut push = |part: &str| {
            path.push('/');
            path.extend(utf8_percent_encode(part, RESERVED));
        };
        let is_part = |part: &str| !matches!(part, "" | "." | "..");
        for segment in pattern {
            match segment {
                Segment::Rest => {
                    if !parts.iter().all(|part| is_part(part)) {
                        return None;
                    }
                    std::mem::take(&mut parts).into_iter().for_each(&mut push);
                }
                Segment::Any | Segment::Literal(_) => {
                    let part = *parts.first()?;
                    parts.remove(0);
                    let fits = match segment {
                        Segment::Literal(literal) => literal == part,
                        _ => is_part(part),
                    };
                    if !fits {
                        return None;
                    }
                    push(part);
                }
            }
        }
        parts.is_empty().then_some(())
    }

    /// Writes the message that the body of an answer makes.
    ///
    /// # Errors
    /// A body that is not JSON of the message's type: a sentence for the log.
    pub fn read_answer(
        &self,
        schema: &Schema,
        (media, body): (&str, &[u8]),
        unknown: Unknown,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if self.answers_http_body(schema) {
            wire::tag(out, 1, wire::BYTES);
            wire::bytes(out, media.as_bytes());
            wire::tag(out, 2, wire::BYTES);
            wire::bytes(out, body);
            return Ok(());
        }
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let field = self.response_body.and_then(|at| at.field(schema));
        let written = match field {
            Some(field) => json::encode_field(schema, field, text, unknown, out),
            None => json::encode(schema, self.method.output, text, unknown, out),
        };
        written.map_err(|mismatch| mismatch.describe(text))
    }
}

fn shown(field: &crate::schema::Field, style: Style) -> &str {
    match style.proto_names {
        true => &field.name,
        false => &field.json,
    }
}

/// Takes the value at a path of fields out of a message, as a text. What is not there has its
/// default.
fn take(
    schema: &Schema,
    fields: &mut Map<String, Value>,
    path: &[FieldAt],
    style: Style,
) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let field = first.field(schema)?;
    let name = shown(field, style);
    if rest.is_empty() {
        return match fields.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(value) => Some(value.to_string()),
            None => match field.kind {
                Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_) | Kind::Enum(_) => {
                    None
                }
                Kind::Bool => Some("false".to_owned()),
                _ => Some("0".to_owned()),
            },
        };
    }
    match fields.get_mut(name) {
        Some(Value::Object(inner)) => take(schema, inner, rest, style),
        _ => take(schema, &mut Map::new(), rest, style),
    }
}

/// Writes a value as parameters: names with dots into messages, a list as often as it has values.
fn flatten(name: &str, value: &Value, query: &mut String) -> Result<(), String> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Object(fields) => {
            for (inner, value) in fields {
                flatten(&format!("{name}.{inner}"), value, query)?;
            }
            return Ok(());
        }
        Value::Array(items) => {
            if items.iter().any(|item| item.is_object() || item.is_array()) {
                return Err(format!("`{name}` holds more than a parameter can say."));
            }
            for item in items {
                flatten(name, item, query)?;
            }
            return Ok(());
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, RESERVED));
    query.push('=');
    query.extend(utf8_percent_encode(&text, RESERVED));
    Ok(())
}
