//! ProtoJSON (<https://protobuf.dev/programming-guides/json/>): JSON to messages on the wire, and
//! back. Both ways go from bytes to bytes, by the tables of a [`Schema`].

mod decode;
mod encode;
mod known;
mod number;
mod scalar;
mod shown;
mod time;

pub use decode::{Style, Unwritable};
pub use encode::Unknown;
pub use lintel_kernel::json::Mismatch;

pub(crate) use encode::enum_number;
pub(crate) use known::text as known_text;
pub(crate) use scalar::parse as parse_scalar;

use lintel_kernel::json::Lexer;

use crate::schema::{Field, MessageId, Schema};

/// Reads a message from JSON, and writes it to `out` in the wire format.
///
/// # Errors
/// Where the text is not JSON, or not of this type. What has been written to `out` is void then.
pub fn encode(
    schema: &Schema,
    id: MessageId,
    text: &str,
    unknown: Unknown,
    out: &mut Vec<u8>,
) -> Result<(), Box<Mismatch>> {
    let mut lexer = Lexer::new(text);
    encoder(schema, unknown).message(id, &mut lexer, 0, out)?;
    lexer.end()
}

/// Reads one field of a message from JSON, and writes it to `out` with its tag.
///
/// # Errors
/// Where the text is not JSON, or not what the field holds.
pub fn encode_field(
    schema: &Schema,
    field: &Field,
    text: &str,
    unknown: Unknown,
    out: &mut Vec<u8>,
) -> Result<(), Box<Mismatch>> {
    let mut lexer = Lexer::new(text);
    encoder(schema, unknown).field(field, &mut lexer, 0, out)?;
    lexer.end()
}

const fn encoder(schema: &Schema, unknown: Unknown) -> encode::Encoder<'_> {
    encode::Encoder {
        schema,
        unknown,
        late: 0,
    }
}

/// Writes a message of the wire format to `out` as JSON.
///
/// # Errors
/// Bytes that are no such message, and values that JSON has no writing for.
pub fn decode(
    schema: &Schema,
    id: MessageId,
    bytes: &[u8],
    style: Style,
    out: &mut Vec<u8>,
) -> Result<(), Box<Unwritable>> {
    decode::Decoder::new(schema, style).message(id, bytes, 0, out)
}

/// Writes one field of a message, by its place among the fields, as JSON.
///
/// # Errors
/// Bytes that are no such message, and values that JSON has no writing for.
pub fn decode_field(
    schema: &Schema,
    id: MessageId,
    place: usize,
    bytes: &[u8],
    style: Style,
    out: &mut Vec<u8>,
) -> Result<(), Box<Unwritable>> {
    decode::Decoder::new(schema, style).only(id, place, bytes, out)
}

/// The same as [`decode`] for details of an error: an `Any` of a type that is not known is written with its bytes.
///
/// # Errors
/// Bytes that are no such message, and values that JSON has no writing for.
pub fn decode_detail(
    schema: &Schema,
    id: MessageId,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Box<Unwritable>> {
    let decoder = decode::Decoder::new(schema, Style::default());
    decoder.opaque().message(id, bytes, 0, out)
}
