//! How the schema describes texts with a form of their own, where plain strings are read.
//!
//! The format `template` does more than describe: a value that is put into such a text from the
//! environment or a file has its `$` doubled when the configuration is loaded, so that nothing in it
//! is taken for an expression.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A text with `${…}`.
pub(crate) struct Template;

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "template", "examples": ["${client.ip}"] })
    }
}

/// An expression as a whole, without `${…}` around it.
pub(crate) struct Expression;

impl JsonSchema for Expression {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "expression",
            "examples": ["request.headers[\"x-drill\"] == \"on\""],
        })
    }
}

/// Texts with `${…}` by the name of a header field.
pub(crate) struct Fields;

impl JsonSchema for Fields {
    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = Template::json_schema(generator);
        json_schema!({
            "type": "object",
            "propertyNames": { "type": "string", "format": "field-name", "examples": ["X-Tenant"] },
            "additionalProperties": values,
        })
    }
}
