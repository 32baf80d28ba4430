#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bindings;
mod conformance;
mod expand;
mod files;
mod oracle;
mod reflection;
mod refusals;
mod statuses;
mod well_known;

use prost_reflect::DescriptorPool;

use crate::{
    descriptors,
    json::{self, Style, Unknown},
    schema::Schema,
};

const ALL: &str = "lintel.test.All";

fn pool() -> DescriptorPool {
    descriptors::parse(&[("all_types.proto", include_str!("all_types.proto"))]).unwrap()
}

thread_local! {
    static SCHEMA: Schema = Schema::new(&pool());
}

/// The message that a JSON text makes, in the wire format.
fn encode(text: &str, unknown: Unknown) -> Result<Vec<u8>, String> {
    SCHEMA.with(|schema| {
        let mut out = Vec::new();
        let id = schema.find(ALL).unwrap();
        json::encode(schema, id, text, unknown, &mut out).map_err(|error| error.describe(text))?;
        Ok(out)
    })
}

fn decode_styled(bytes: &[u8], style: Style) -> Result<String, String> {
    SCHEMA.with(|schema| {
        let mut out = Vec::new();
        let id = schema.find(ALL).unwrap();
        json::decode(schema, id, bytes, style, &mut out).map_err(|error| error.to_string())?;
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        serde_json::from_str::<serde_json::Value>(&text).expect(&text);
        Ok(text)
    })
}

fn decode(bytes: &[u8]) -> Result<String, String> {
    decode_styled(bytes, Style::default())
}

/// The JSON that a JSON text comes back as.
fn round(text: &str) -> Result<String, String> {
    decode(&encode(text, Unknown::Refuse)?)
}
