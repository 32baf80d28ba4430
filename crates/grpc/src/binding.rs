//! A rule, checked against the messages of its method and ready for requests.

use std::sync::Arc;

use crate::{
    rule::Rule,
    schema::{Field, Form, Kind, Label, MessageId, Schema},
    template::{Segment, Template},
};

/// A method of a service.
#[derive(Debug)]
pub struct Method {
    /// Its full name: `package.Service.Method`.
    pub name: Box<str>,
    /// The path of a call: `/package.Service/Method`.
    pub path: http::uri::PathAndQuery,
    /// What is sent.
    pub input: MessageId,
    /// What comes back.
    pub output: MessageId,
    /// Whether any number of messages are sent.
    pub client_streaming: bool,
    /// Whether any number of messages come back.
    pub server_streaming: bool,
    /// Whether it says that calling it changes nothing.
    pub harmless: bool,
}

/// One way to a method.
#[derive(Debug)]
pub struct Binding {
    /// Where it leads.
    pub method: Arc<Method>,
    /// The HTTP method; none stands for all.
    pub verb: Option<http::Method>,
    /// Its path.
    pub template: Template,
    pub(crate) variables: Vec<Target>,
    pub(crate) body: BodyTo,
    pub(crate) response_body: Option<FieldAt>,
}

/// What becomes of the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyTo {
    /// There is none to be.
    Nothing,
    /// It is the message.
    Message,
    /// It is this field.
    Field(FieldAt),
}

/// A field, by its message and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldAt {
    pub(crate) message: MessageId,
    pub(crate) place: usize,
}

/// Where a variable goes.
#[derive(Debug)]
pub(crate) struct Target {
    /// From the message down to a field that holds one value.
    pub(crate) path: Vec<FieldAt>,
    /// Its first segment.
    pub(crate) begin: usize,
    /// Its segments; all that are left where the last is `**`.
    pub(crate) count: usize,
    pub(crate) rest: bool,
}

impl FieldAt {
    pub(crate) fn field(self, schema: &Schema) -> Option<&Field> {
        schema.message(self.message).fields.get(self.place)
    }
}

impl Binding {
    pub(crate) fn new(schema: &Schema, method: &Arc<Method>, rule: &Rule) -> Result<Self, String> {
        let template = Template::parse(&rule.path).map_err(|error| {
            format!(
                "{error}: `{}`, at character {}",
                rule.path,
                error.offset + 1
            )
        })?;
        let verb = match rule.method.as_str() {
            "*" => None,
            name => Some(
                http::Method::from_bytes(name.as_bytes())
                    .map_err(|_| format!("`{name}` is not an HTTP method"))?,
            ),
        };
        let variables: Result<_, String> = template
            .variables
            .iter()
            .map(|variable| {
                let path = resolve(schema, method.input, &variable.field)?;
                single(schema, &path, &variable.field)?;
                let segments = template.segments.get(variable.begin..);
                let last =
                    segments.and_then(|segments| segments.get(variable.count.checked_sub(1)?));
                Ok(Target {
                    path,
                    begin: variable.begin,
                    count: variable.count,
                    rest: last == Some(&Segment::Rest),
                })
            })
            .collect();
        let body = match rule.body.as_deref() {
            None => BodyTo::Nothing,
            Some("*") => BodyTo::Message,
            Some(name) => BodyTo::Field(own(schema, method.input, name, "body")?),
        };
        if method.client_streaming && body == BodyTo::Nothing {
            return Err("a method that takes a stream of messages needs a `body`".to_owned());
        }
        let response_body = rule.response_body.as_deref();
        let response_body = response_body
            .filter(|name| *name != "*")
            .map(|name| own(schema, method.output, name, "response_body"));
        Ok(Self {
            method: Arc::clone(method),
            verb,
            variables: variables?,
            body,
            response_body: response_body.transpose()?,
            template,
        })
    }

    /// Whether a body is read.
    pub fn takes_body(&self) -> bool {
        self.body != BodyTo::Nothing
    }
}

/// How many names the path of a field may have: messages may contain themselves, and a query is as long
/// as the listener allows.
const MAX_PATH: usize = 32;

/// The fields that a path of names leads through.
pub(crate) fn resolve(
    schema: &Schema,
    message: MessageId,
    path: &str,
) -> Result<Vec<FieldAt>, String> {
    let mut message = Some(message);
    let mut fields = Vec::new();
    for name in path.split('.') {
        if fields.len() == MAX_PATH {
            return Err(format!("a path of fields has at most {MAX_PATH} names"));
        }
        let Some(id) = message else {
            return Err(format!(
                "`{path}`: the field before `{name}` is not a message"
            ));
        };
        let Some((place, field)) = schema.message(id).field(name) else {
            let name_of = &schema.message(id).name;
            return Err(format!("`{path}`: `{name_of}` has no field `{name}`"));
        };
        message = match (field.kind, field.label) {
            (Kind::Message(inner), Label::Singular) => Some(inner),
            _ => None,
        };
        fields.push(FieldAt { message: id, place });
    }
    Ok(fields)
}

/// That the path leads to one value that a text can hold.
fn single(schema: &Schema, path: &[FieldAt], shown: &str) -> Result<(), String> {
    let field = path.last().and_then(|last| last.field(schema));
    match field {
        Some(field) if field.label == Label::Singular && is_textual(schema, field.kind) => Ok(()),
        _ => Err(format!(
            "`{shown}` can't be a part of a path: it does not hold one simple value"
        )),
    }
}

/// Whether a value of this kind has a text that is not JSON.
pub(crate) fn is_textual(schema: &Schema, kind: Kind) -> bool {
    match kind {
        Kind::Message(id) => matches!(
            schema.message(id).form,
            Form::Timestamp | Form::Duration | Form::FieldMask | Form::Wrapper
        ),
        Kind::Group(_) => false,
        _ => true,
    }
}

fn own(schema: &Schema, message: MessageId, name: &str, key: &str) -> Result<FieldAt, String> {
    match schema.message(message).field(name) {
        Some((place, _)) => Ok(FieldAt { message, place }),
        None => Err(format!(
            "`{key}: {name}`: `{}` has no such field",
            schema.message(message).name
        )),
    }
}
