//! A request → the message of a call: its body, and what its path and query say.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::{
    binding::{Binding, BodyTo, FieldAt, is_textual, resolve},
    json::{self, Mismatch, Unknown, enum_number, known_text, parse_scalar},
    schema::{Field, Form, Kind, Label, Schema},
    wire,
};

/// How many parameters a query may have.
const MAX_PARAMETERS: usize = 1_000;

/// Why a request does not make a message. Made for the eyes of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// The path, or the query.
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong with it, in one sentence without its full stop.
        detail: String,
    },
    /// The body.
    Body {
        /// Where, as a JSON pointer.
        pointer: String,
        /// What is wrong, in one sentence.
        detail: String,
    },
    /// A body where there is none to be.
    UnwantedBody,
}

impl BadRequest {
    fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::Parameter {
            name: name.chars().take(100).collect(),
            detail: detail.into(),
        }
    }

    fn body(mismatch: &Mismatch, text: &str) -> Self {
        Self::Body {
            pointer: mismatch.pointer(),
            detail: mismatch.describe(text),
        }
    }

    /// One sentence.
    pub fn detail(&self) -> String {
        match self {
            Self::Parameter { name, detail } => format!("Parameter `{name}`: {detail}."),
            Self::Body { detail, .. } => format!("Body: {detail}"),
            Self::UnwantedBody => "This method takes no body.".to_owned(),
        }
    }
}

impl Binding {
    /// Writes what the body says.
    ///
    /// # Errors
    /// A body that is not UTF-8, not JSON or not of the message's type, and one that is not wanted.
    pub fn write_body(
        &self,
        schema: &Schema,
        body: &[u8],
        unknown: Unknown,
        out: &mut Vec<u8>,
    ) -> Result<(), BadRequest> {
        let text = std::str::from_utf8(body).map_err(|_| BadRequest::Body {
            pointer: String::new(),
            detail: "The text is not UTF-8.".to_owned(),
        })?;
        let empty = text.bytes().all(|byte| byte.is_ascii_whitespace());
        let written = match self.body {
            // No body says nothing, as an empty object does.
            _ if empty => Ok(()),
            BodyTo::Nothing => return Err(BadRequest::UnwantedBody),
            BodyTo::Message => json::encode(schema, self.method.input, text, unknown, out),
            BodyTo::Field(at) => match at.field(schema) {
                Some(field) => json::encode_field(schema, field, text, unknown, out),
                None => Ok(()),
            },
        };
        written.map_err(|mismatch| BadRequest::body(&mismatch, text))
    }

    /// Writes what the path says, after the body: of a field that both have, the path's value
    /// counts.
    ///
    /// # Errors
    /// A part of the path that does not fit its field.
    pub fn write_path(
        &self,
        schema: &Schema,
        path: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), BadRequest> {
        if self.variables.is_empty() {
            return Ok(());
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = match &self.template.verb {
            Some(verb) => path
                .strip_suffix(verb.as_str())
                .and_then(|path| path.strip_suffix(':'))
                .unwrap_or(path),
            None => path,
        };
        for (target, variable) in self.variables.iter().zip(&self.template.variables) {
            let text = segments(path, target.begin, target.count, target.rest);
            let many = target.rest || target.count > 1;
            let text = decoded(text, many)
                .ok_or_else(|| BadRequest::parameter(&variable.field, "the text is not UTF-8"))?;
            write_at(schema, &target.path, &text, out)
                .map_err(|detail| BadRequest::parameter(&variable.field, detail))?;
        }
        Ok(())
    }

    /// Writes what the query says. Names are those of fields in either spelling, with dots into
    /// messages; a repeated field takes a parameter as often as it likes.
    ///
    /// # Errors
    /// Parameters that no field takes, and values that don't fit theirs.
    pub fn write_query(
        &self,
        schema: &Schema,
        query: &str,
        unknown: Unknown,
        out: &mut Vec<u8>,
    ) -> Result<(), BadRequest> {
        let mut given: Vec<Vec<FieldAt>> = Vec::new();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        for (at, pair) in pairs.enumerate() {
            if at == MAX_PARAMETERS {
                return Err(BadRequest::parameter(
                    pair,
                    format!("a query has at most {MAX_PARAMETERS} parameters"),
                ));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let texts = form_decoded(name).zip(form_decoded(value));
            let (name, value) =
                texts.ok_or_else(|| BadRequest::parameter(name, "the text is not UTF-8"))?;
            self.parameter(schema, (&name, &value), unknown, &mut given, out)?;
        }
        Ok(())
    }

    fn parameter(
        &self,
        schema: &Schema,
        (name, value): (&str, &str),
        unknown: Unknown,
        given: &mut Vec<Vec<FieldAt>>,
        out: &mut Vec<u8>,
    ) -> Result<(), BadRequest> {
        let refused = |detail: &str| BadRequest::parameter(name, detail);
        let Ok(path) = resolve(schema, self.method.input, name) else {
            return match unknown {
                Unknown::Ignore => Ok(()),
                Unknown::Refuse => Err(refused("there is no such parameter")),
            };
        };
        let taken = match self.body {
            BodyTo::Message => true,
            BodyTo::Field(at) => path.first() == Some(&at),
            BodyTo::Nothing => false,
        };
        if taken {
            return Err(refused("this belongs into the body"));
        }
        if self.variables.iter().any(|target| target.path == path) {
            return Err(refused("this belongs into the path"));
        }
        let field = path.last().and_then(|last| last.field(schema));
        let field = field.ok_or_else(|| refused("there is no such parameter"))?;
        if field.label == Label::Map || !is_textual(schema, field.kind) {
            return Err(refused("its field holds more than a parameter can say"));
        }
        let repeated = matches!(field.label, Label::Repeated { .. });
        if !repeated {
            if given.contains(&path) {
                return Err(refused("it is there twice"));
            }
            if self.rivals(schema, given, &path, field) {
                return Err(refused(
                    "another parameter of the same oneof is there already",
                ));
            }
            given.push(path.clone());
        }
        write_at(schema, &path, value, out).map_err(|detail| BadRequest::parameter(name, detail))
    }

    /// Whether another member of the field's oneof was given.
    fn rivals(
        &self,
        schema: &Schema,
        given: &[Vec<FieldAt>],
        path: &[FieldAt],
        field: &Field,
    ) -> bool {
        let Some(oneof) = field.oneof else {
            return false;
        };
        given.iter().any(|other| {
            let last = other.last();
            other.len() == path.len()
                && other.iter().zip(path).rev().skip(1).all(|(a, b)| a == b)
                && last.map(|at| at.message) == path.last().map(|at| at.message)
                && last.and_then(|at| at.field(schema)?.oneof) == Some(oneof)
        })
    }
}

/// The segments of a path from one on.
fn segments(path: &str, begin: usize, count: usize, rest: bool) -> &str {
    let mut from = path;
    for _ in 0..begin {
        from = from.split_once('/').map_or("", |(_, after)| after);
    }
    if rest {
        return from;
    }
    let mut slashes = from.match_indices('/').map(|(at, _)| at);
    let end = slashes.nth(count.saturating_sub(1)).unwrap_or(from.len());
    from.get(..end).unwrap_or_default()
}

/// A part of a path without its percent-encoding. Where it is several segments, an encoded slash
/// stays encoded, so that it is not taken for one between them (google/api/http.proto).
fn decoded(text: &str, many: bool) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    if !many {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let kept = text.replace("%2F", "%252F").replace("%2f", "%252f");
    let decoded = percent_decode_str(&kept).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// A name or value of a query, as HTML forms encode it.
fn form_decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Writes a value at the end of a path of fields: messages of one field each, which merge with what
/// is there.
fn write_at(
    schema: &Schema,
    path: &[FieldAt],
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    let Some(field) = first.field(schema) else {
        return Ok(());
    };
    if rest.is_empty() {
        return write_text(schema, field, text, out);
    }
    wire::tag(out, field.number, wire::BYTES);
    wire::delimited(out, |out| write_at(schema, rest, text, out))
}

fn write_text(schema: &Schema, field: &Field, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let said = |mismatch: Box<Mismatch>| mismatch.detail().to_owned();
    let number = field.number;
    let scalar = match field.kind {
        Kind::Message(id) => {
            let message = schema.message(id);
            wire::tag(out, number, wire::BYTES);
            return wire::delimited(out, |out| match (message.form, message.numbered(1)) {
                (Form::Wrapper, Some((_, inner))) => write_text(schema, inner, text, out),
                (form, _) => known_text(form, text, 0, out).map_err(said),
            });
        }
        Kind::Enum(id) => {
            let enumeration = schema.enumeration(id);
            let number = enumeration.number(text).or_else(|| text.parse().ok());
            enum_number(number.ok_or("the enum has no value of this name")?)
        }
        kind => parse_scalar(kind, text, 0).map_err(said)?,
    };
    wire::tag(out, number, field.kind.wire());
    scalar.write(out);
    Ok(())
}
