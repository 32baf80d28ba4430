//! The language as a JSON Schema (draft 2020-12), derived from the model's types.

mod tidy;
mod view;

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

pub(crate) use view::{Kind, View};

use crate::model::Model;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = tidied(generator.into_root_schema_for::<Model>());
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "Lintel configuration".into());
    }
    schema
});

/// A derived schema in the form in which it is read here.
pub(crate) fn tidied(schema: schemars::Schema) -> Value {
    let mut schema = schema.to_value();
    tidy::tidy(&mut schema);
    schema
}

/// The JSON Schema of the configuration, for editors and other validators.
///
/// `format` names the form of a text (`duration`, `size`, `endpoint`, …) and `pattern` comes close
/// to it for validators that don't know the form; the gateway's own check is exact.
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// The schema as the shape check and the reference read it.
pub(crate) fn root() -> View<'static> {
    View::root(&SCHEMA)
}

#[cfg(test)]
mod tests;
