//! The message of an answer → the body of a response.

use crate::{
    binding::Binding,
    json::{self, Style, Unwritable},
    schema::Schema,
    wire::{Fields, Raw},
};

/// A body with a media type of its own, in place of JSON.
const HTTP_BODY: &str = "google.api.HttpBody";

impl Binding {
    /// Writes a message of the answer as JSON: all of it, or the field `response_body`.
    ///
    /// # Errors
    /// Bytes that are no such message, and values that JSON has no writing for.
    pub fn write_answer(
        &self,
        schema: &Schema,
        message: &[u8],
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Unwritable>> {
        match self.response_body {
            None => json::decode(schema, self.method.output, message, style, out),
            Some(at) => json::decode_field(schema, at.message, at.place, message, style, out),
        }
    }

    /// Whether the answer is a `google.api.HttpBody`, whose bytes go as they are.
    pub fn answers_http_body(&self, schema: &Schema) -> bool {
        self.response_body.is_none() && &*schema.message(self.method.output).name == HTTP_BODY
    }
}

/// Media type and bytes of a `google.api.HttpBody`, which lies in `message` itself.
pub fn http_body(message: &[u8]) -> Option<(&str, &[u8])> {
    let (mut media, mut data) = ("", [].as_slice());
    let mut fields = Fields(message);
    while let Some((number, raw)) = fields.next().ok()? {
        match (number, raw) {
            (1, Raw::Bytes(bytes)) => media = std::str::from_utf8(bytes).ok()?,
            (2, Raw::Bytes(bytes)) => data = bytes,
            _ => {}
        }
    }
    Some((media, data))
}
