//! An OpenAPI document (<https://spec.openapis.org/oas/v3.1.1.html>) of the ways to a service's
//! methods.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    binding::{Binding, BodyTo, FieldAt, is_textual},
    json::Style,
    schema::{Field, Form, Kind, Label, MessageId, Schema},
    template::Segment,
    transcoder::Transcoder,
};

/// How deep parameters of a query reach into messages: those that contain themselves have no end.
const DEPTH: usize = 4;

impl Transcoder {
    /// The document, as JSON. Paths have their variables by segment; those of streams name all forms
    /// that they may take.
    pub fn openapi(&self, title: &str, style: Style) -> Value {
        let mut writer = Writer {
            schema: self.schema(),
            style,
            wanted: BTreeSet::new(),
        };
        let mut paths = Map::new();
        for binding in self.bindings() {
            let (path, parameters) = writer.path(binding);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            // `*` and methods that OpenAPI has no word for are left out.
            let verb = binding.verb.as_ref().map_or("", http::Method::as_str);
            let verb = verb.to_ascii_lowercase();
            let known = [
                "get", "put", "post", "delete", "options", "head", "patch", "trace",
            ];
            if let Some(item) = item.as_object_mut()
                && known.contains(&verb.as_str())
            {
                item.insert(verb, writer.operation(binding, parameters));
            }
        }
        paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
        let schemas = writer.components();
        json!({
            "openapi": "3.1.0",
            "info": { "title": title, "version": "1" },
            "paths": paths,
            "components": { "schemas": schemas },
        })
    }
}

struct Writer<'s> {
    schema: &'s Schema,
    style: Style,
    /// Types that the document refers to.
    wanted: BTreeSet<MessageId>,
}

impl Writer<'_> {
    /// The path with a parameter for each segment that varies, and these parameters.
    fn path(&self, binding: &Binding) -> (String, Vec<Value>) {
        let (mut path, mut parameters) = (String::new(), Vec::new());
        let mut taken: Vec<String> = Vec::new();
        let mut before = "";
        for (at, segment) in binding.template.segments.iter().enumerate() {
            path.push('/');
            if let Segment::Literal(text) = segment {
                path.push_str(text);
                before = text;
                continue;
            }
            let mut variables = binding.template.variables.iter();
            let variable = variables
                .find(|variable| (variable.begin..variable.begin + variable.count).contains(&at));
            // One segment is called as its field; those of a longer name as what stands before.
            let mut name = match variable {
                Some(variable) if variable.count == 1 => variable.field.clone(),
                Some(variable) if before.is_empty() => variable.field.clone(),
                _ => before.to_owned(),
            };
            while taken.contains(&name) {
                name.push('_');
            }
            path.push_str(&format!("{{{name}}}"));
            let target = variable.and_then(|variable| {
                let mut targets = binding.variables.iter();
                targets.find(|target| target.begin == variable.begin && variable.count == 1)
            });
            let field = target.and_then(|target| target.path.last()?.field(self.schema));
            let schema = match field {
                Some(field) => self.kind(field.kind, &mut BTreeSet::new()),
                None => json!({ "type": "string" }),
            };
            let mut parameter =
                json!({ "name": name, "in": "path", "required": true, "schema": schema });
            if *segment == Segment::Rest
                && let Some(parameter) = parameter.as_object_mut()
            {
                let text = "All that is left of the path, with its slashes.";
                parameter.insert("description".to_owned(), text.into());
            }
            parameters.push(parameter);
            taken.push(name);
        }
        if let Some(verb) = &binding.template.verb {
            path.push(':');
            path.push_str(verb);
        }
        (path, parameters)
    }

    fn operation(&mut self, binding: &Binding, mut parameters: Vec<Value>) -> Value {
        let method = &binding.method;
        if binding.body != BodyTo::Message {
            self.query(binding, &mut Vec::new(), "", &mut parameters);
        }
        let (service, name) = method.name.rsplit_once('.').unwrap_or(("", &method.name));
        let mut operation = json!({
            // A method with several ways has a number of operations.
            "operationId": format!("{}_{}", name, operation_id(binding)),
            "tags": [service],
            "parameters": parameters,
            "responses": {
                "200": { "description": "The answer.", "content": self.answer(binding) },
                "default": {
                    "description": "What went wrong (RFC 9457).",
                    "content": { "application/problem+json": { "schema": problem() } },
                },
            },
        });
        if let Some(body) = self.body(binding)
            && let Some(operation) = operation.as_object_mut()
        {
            operation.insert("requestBody".to_owned(), body);
        }
        operation
    }

    fn body(&mut self, binding: &Binding) -> Option<Value> {
        let schema = match binding.body {
            BodyTo::Nothing => return None,
            BodyTo::Message => self.reference(binding.method.input),
            BodyTo::Field(at) => self.held(at.field(self.schema)?),
        };
        let media = if binding.method.client_streaming {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        Some(json!({ "required": true, "content": { media: { "schema": schema } } }))
    }

    fn answer(&mut self, binding: &Binding) -> Value {
        if binding.answers_http_body(self.schema) {
            return json!({ "*/*": {} });
        }
        let field = binding.response_body.and_then(|at| at.field(self.schema));
        let schema = match field {
            Some(field) => self.held(field),
            None => self.reference(binding.method.output),
        };
        if !binding.method.server_streaming {
            return json!({ "application/json": { "schema": schema } });
        }
        json!({
            "application/json": { "schema": { "type": "array", "items": schema } },
            "application/x-ndjson": { "schema": schema },
            "text/event-stream": { "schema": { "type": "string" } },
        })
    }

    /// The parameters that a query may have.
    fn query(&self, binding: &Binding, at: &mut Vec<FieldAt>, prefix: &str, out: &mut Vec<Value>) {
        let id = match at.last().and_then(|last| last.field(self.schema)) {
            None => binding.method.input,
            Some(field) => match field.kind {
                Kind::Message(id) => id,
                _ => return,
            },
        };
        for (place, field) in self.schema.message(id).fields.iter().enumerate() {
            let here = FieldAt { message: id, place };
            at.push(here);
            let in_path = binding.variables.iter().any(|target| target.path == *at);
            let in_body = at.len() == 1 && binding.body == BodyTo::Field(here);
            let name = format!("{prefix}{}", self.name(field));
            if !in_path && !in_body && field.label != Label::Map {
                if is_textual(self.schema, field.kind) {
                    let schema = self.held_plainly(field);
                    out.push(json!({ "name": name, "in": "query", "schema": schema }));
                } else if field.label == Label::Singular && at.len() < DEPTH && self.is_plain(field)
                {
                    self.query(binding, at, &format!("{name}."), out);
                }
            }
            at.pop();
        }
    }

    fn is_plain(&self, field: &Field) -> bool {
        matches!(field.kind, Kind::Message(id) if self.schema.message(id).form == Form::Plain)
    }

    fn name<'a>(&self, field: &'a Field) -> &'a str {
        if self.style.proto_names {
            &field.name
        } else {
            &field.json
        }
    }

    fn reference(&mut self, id: MessageId) -> Value {
        let mut wanted = BTreeSet::new();
        let schema = self.message(id, &mut wanted);
        self.wanted.append(&mut wanted);
        schema
    }

    fn held(&mut self, field: &Field) -> Value {
        let mut wanted = BTreeSet::new();
        let schema = self.label(field, &mut wanted);
        self.wanted.append(&mut wanted);
        schema
    }

    fn held_plainly(&self, field: &Field) -> Value {
        self.label(field, &mut BTreeSet::new())
    }

    fn label(&self, field: &Field, wanted: &mut BTreeSet<MessageId>) -> Value {
        match (field.label, field.kind) {
            (Label::Singular, kind) => self.kind(kind, wanted),
            (Label::Repeated { .. }, kind) => {
                json!({ "type": "array", "items": self.kind(kind, wanted) })
            }
            (Label::Map, Kind::Message(entry)) => {
                let value = self.schema.message(entry).numbered(2);
                let value = value.map(|(_, value)| self.kind(value.kind, wanted));
                json!({ "type": "object", "additionalProperties": value })
            }
            (Label::Map, _) => json!({ "type": "object" }),
        }
    }

    fn kind(&self, kind: Kind, wanted: &mut BTreeSet<MessageId>) -> Value {
        match kind {
            Kind::Double => json!({ "type": ["number", "string"], "format": "double" }),
            Kind::Float => json!({ "type": ["number", "string"], "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32" })
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64" })
            }
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Enum(id) => {
                let enumeration = self.schema.enumeration(id);
                if enumeration.null {
                    json!({ "type": "null" })
                } else if self.style.enum_numbers {
                    json!({ "type": "integer", "format": "int32" })
                } else {
                    json!({ "type": "string", "enum": enumeration.names() })
                }
            }
            Kind::Message(id) | Kind::Group(id) => self.message(id, wanted),
        }
    }

    fn message(&self, id: MessageId, wanted: &mut BTreeSet<MessageId>) -> Value {
        let message = self.schema.message(id);
        match message.form {
            Form::Plain => {
                wanted.insert(id);
                json!({ "$ref": format!("#/components/schemas/{}", message.name) })
            }
            Form::Any => json!({
                "type": "object",
                "properties": { "@type": { "type": "string" } },
                "required": ["@type"],
            }),
            Form::Timestamp => json!({ "type": "string", "format": "date-time" }),
            Form::Duration => json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$" }),
            Form::FieldMask => json!({ "type": "string" }),
            Form::Struct => json!({ "type": "object" }),
            Form::Value => json!({}),
            Form::ListValue => json!({ "type": "array" }),
            Form::Wrapper => match message.numbered(1) {
                Some((_, field)) => self.kind(field.kind, wanted),
                None => json!({}),
            },
        }
    }

    /// The types that are referred to, and those that they refer to.
    fn components(&mut self) -> Map<String, Value> {
        let mut done = Map::new();
        while let Some(id) = self.wanted.pop_first() {
            let message = self.schema.message(id);
            let mut wanted = BTreeSet::new();
            let fields = message.fields.iter();
            let properties: Map<String, Value> = fields
                .map(|field| (self.name(field).to_owned(), self.label(field, &mut wanted)))
                .collect();
            let schema = json!({ "type": "object", "properties": properties });
            done.insert(message.name.to_string(), schema);
            wanted.retain(|id| !done.contains_key(&*self.schema.message(*id).name));
            self.wanted.append(&mut wanted);
        }
        done.sort_keys();
        done
    }
}

/// What tells the ways to one method apart.
fn operation_id(binding: &Binding) -> String {
    let path = binding.template.to_string();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let verb = binding.verb.as_ref().map_or("ANY", http::Method::as_str);
    format!("{}_{}", verb.to_ascii_lowercase(), words.join("_"))
}

/// Problem details, with what the status of a call adds.
fn problem() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string" },
            "detail": { "type": "string" },
            "instance": { "type": "string" },
            "grpc_status": { "type": "integer" },
            "details": { "type": "array", "items": { "type": "object" } },
        },
    })
}
