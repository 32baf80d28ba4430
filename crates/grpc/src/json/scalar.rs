//! Scalars: from JSON or plain text to the wire, and back.

use std::io::Write as _;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use lintel_kernel::json::{Lexer, Mismatch, Read};

use super::number;
use crate::{
    schema::{Kind, Schema},
    wire::{self, Fields, Garbled, Raw},
};

/// Base64 is taken with padding or without it (ProtoJSON, `bytes`).
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A scalar that has been read, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Text(std::borrow::Cow<'a, str>),
    Bytes(Vec<u8>),
}

impl Scalar<'_> {
    /// Whether it is what a field without presence has when it is not there.
    pub(crate) fn is_default(&self) -> bool {
        match self {
            Self::Varint(value) | Self::Fixed64(value) => *value == 0,
            Self::Fixed32(value) => *value == 0,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }

    /// Writes the value without its tag.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Varint(value) => wire::varint(out, *value),
            Self::Fixed64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Fixed32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Text(text) => wire::bytes(out, text.as_bytes()),
            Self::Bytes(bytes) => wire::bytes(out, bytes),
        }
    }
}

/// Reads a scalar that is no enum from JSON.
pub(crate) fn read<'a>(kind: Kind, lexer: &mut Lexer<'a>) -> Read<Scalar<'a>> {
    Ok(match kind {
        Kind::Bool => Scalar::Varint(lexer.boolean()?.into()),
        Kind::String => Scalar::Text(lexer.string()?),
        Kind::Bytes => {
            lexer.peek();
            let at = lexer.offset();
            base64(&lexer.string()?, at)?
        }
        kind => {
            let expected = match kind {
                Kind::Double | Kind::Float => "a number",
                _ => "an integer",
            };
            let (text, at) = number::text(lexer, expected)?;
            numeric(kind, &text, at)?
        }
    })
}

/// Reads a scalar that is no enum from plain text: a map's key, a part of a path, a query value.
pub(crate) fn parse<'a>(kind: Kind, text: &'a str, at: usize) -> Read<Scalar<'a>> {
    match kind {
        Kind::Bool => match text {
            "true" => Ok(Scalar::Varint(1)),
            "false" => Ok(Scalar::Varint(0)),
            _ => Err(Mismatch::at(at, "`true` or `false` is expected")),
        },
        Kind::String => Ok(Scalar::Text(text.into())),
        Kind::Bytes => base64(text, at),
        kind => numeric(kind, text, at),
    }
}

fn base64(text: &str, at: usize) -> Read<Scalar<'static>> {
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let bytes = engine.decode(text).map(Scalar::Bytes);
    bytes.map_err(|_| Mismatch::at(at, "base64 is expected"))
}

#[expect(clippy::cast_sign_loss, reason = "the bits are what is written")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range has been checked"
)]
fn numeric(kind: Kind, text: &str, at: usize) -> Read<Scalar<'static>> {
    Ok(match kind {
        Kind::Double => Scalar::Fixed64(number::double(text, at)?.to_bits()),
        Kind::Float => Scalar::Fixed32(number::float(text, at)?.to_bits()),
        Kind::Int32 => Scalar::Varint(number::signed(text, at, 32)? as u64),
        Kind::Int64 => Scalar::Varint(number::signed(text, at, 64)? as u64),
        Kind::Sint32 => Scalar::Varint(wire::zigzag(number::signed(text, at, 32)?)),
        Kind::Sint64 => Scalar::Varint(wire::zigzag(number::signed(text, at, 64)?)),
        Kind::Sfixed32 => Scalar::Fixed32(number::signed(text, at, 32)? as u32),
        Kind::Sfixed64 => Scalar::Fixed64(number::signed(text, at, 64)? as u64),
        Kind::Uint32 => Scalar::Varint(number::unsigned(text, at, 32)?),
        Kind::Fixed32 => Scalar::Fixed32(number::unsigned(text, at, 32)? as u32),
        Kind::Uint64 => Scalar::Varint(number::unsigned(text, at, 64)?),
        Kind::Fixed64 => Scalar::Fixed64(number::unsigned(text, at, 64)?),
        // Never asked for these.
        Kind::Bool
        | Kind::String
        | Kind::Bytes
        | Kind::Enum(_)
        | Kind::Message(_)
        | Kind::Group(_) => return Err(Mismatch::at(at, "a number is expected")),
    })
}

/// A value on the wire as a scalar of a kind, if it is one. Varints of 32-bit kinds lose their upper
/// half, as they do everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Long(i64),
    UnsignedLong(u64),
    Double(f64),
    Float(f32),
    Text(&'a str),
    Bytes(&'a [u8]),
    Enum(i32),
}

#[expect(clippy::cast_possible_wrap, reason = "the bits are what is read")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "32-bit kinds take the lower half"
)]
pub(crate) fn decode<'a>(kind: Kind, raw: Raw<'a>) -> Result<Value<'a>, Garbled> {
    Ok(match (kind, raw) {
        (Kind::Bool, Raw::Varint(value)) => Value::Bool(value != 0),
        (Kind::Int32, Raw::Varint(value)) => Value::Signed((value as i32).into()),
        (Kind::Uint32, Raw::Varint(value)) => Value::Unsigned((value as u32).into()),
        (Kind::Sint32, Raw::Varint(value)) => {
            Value::Signed((wire::unzigzag(u64::from(value as u32)) as i32).into())
        }
        (Kind::Int64, Raw::Varint(value)) => Value::Long(value as i64),
        (Kind::Uint64, Raw::Varint(value)) => Value::UnsignedLong(value),
        (Kind::Sint64, Raw::Varint(value)) => Value::Long(wire::unzigzag(value)),
        (Kind::Enum(_), Raw::Varint(value)) => Value::Enum(value as i32),
        (Kind::Double, Raw::Fixed64(value)) => Value::Double(f64::from_bits(value)),
        (Kind::Fixed64, Raw::Fixed64(value)) => Value::UnsignedLong(value),
        (Kind::Sfixed64, Raw::Fixed64(value)) => Value::Long(value as i64),
        (Kind::Float, Raw::Fixed32(value)) => Value::Float(f32::from_bits(value)),
        (Kind::Fixed32, Raw::Fixed32(value)) => Value::Unsigned(value.into()),
        (Kind::Sfixed32, Raw::Fixed32(value)) => Value::Signed((value as i32).into()),
        (Kind::String, Raw::Bytes(bytes)) => {
            Value::Text(std::str::from_utf8(bytes).map_err(|_| Garbled)?)
        }
        (Kind::Bytes, Raw::Bytes(bytes)) => Value::Bytes(bytes),
        _ => return Err(Garbled),
    })
}

/// The next of values that follow each other without tags.
pub(crate) fn unpack<'a>(kind: Kind, packed: &mut Fields<'a>) -> Result<Raw<'a>, Garbled> {
    Ok(match kind.wire() {
        wire::VARINT => Raw::Varint(packed.varint()?),
        wire::FIXED64 => Raw::Fixed64(u64::from_le_bytes(packed.array()?)),
        wire::FIXED32 => Raw::Fixed32(u32::from_le_bytes(packed.array()?)),
        _ => return Err(Garbled),
    })
}

/// The value of a field that is not there.
pub(crate) fn default(kind: Kind, schema: &Schema) -> Value<'static> {
    match kind {
        Kind::Bool => Value::Bool(false),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::Signed(0),
        Kind::Uint32 | Kind::Fixed32 => Value::Unsigned(0),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::Long(0),
        Kind::Uint64 | Kind::Fixed64 => Value::UnsignedLong(0),
        Kind::Double => Value::Double(0.0),
        Kind::Float => Value::Float(0.0),
        Kind::Bytes => Value::Bytes(&[]),
        Kind::Enum(id) => Value::Enum(schema.enumeration(id).default),
        Kind::String | Kind::Message(_) | Kind::Group(_) => Value::Text(""),
    }
}

/// Writes a value that is no enum as JSON.
pub(crate) fn write(value: Value<'_>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    // Writing to a Vec can't fail.
    let _ = match value {
        Value::Bool(true) => out.write_all(b"true"),
        Value::Bool(false) => out.write_all(b"false"),
        Value::Signed(value) => out.write_all(digits.format(value).as_bytes()),
        Value::Unsigned(value) => out.write_all(digits.format(value).as_bytes()),
        Value::Enum(value) => out.write_all(digits.format(value).as_bytes()),
        Value::Long(value) => quoted(digits.format(value), out),
        Value::UnsignedLong(value) => quoted(digits.format(value), out),
        Value::Double(value) if value.is_finite() => {
            serde_json::to_writer(&mut *out, &value).map_err(Into::into)
        }
        Value::Float(value) if value.is_finite() => {
            serde_json::to_writer(&mut *out, &value).map_err(Into::into)
        }
        Value::Double(value) => quoted(unwritten(value), out),
        Value::Float(value) => quoted(unwritten(value.into()), out),
        Value::Text(text) => serde_json::to_writer(&mut *out, text).map_err(Into::into),
        Value::Bytes(bytes) => quoted(&STANDARD.encode(bytes), out),
    };
}

fn unwritten(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// A text that needs no escape.
pub(crate) fn quoted(text: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}
