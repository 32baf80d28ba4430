//! The well-known types → JSON, where it is not that of their fields.

use lintel_kernel::json::MAX_DEPTH;

use super::{
    decode::{Decoder, Written, close, unwritable},
    scalar::{self, Value},
    time,
};
use crate::{
    schema::{Form, Message},
    wire::{Fields, Garbled, Raw},
};

const GARBLED: &str = "the bytes are not a message of this type";

impl Decoder<'_> {
    pub(crate) fn well_known(
        self,
        message: &Message,
        bytes: &[u8],
        depth: u32,
        out: &mut Vec<u8>,
    ) -> Written {
        match message.form {
            Form::Any => self.any(message, bytes, depth, out),
            Form::Timestamp | Form::Duration => moment(message, bytes, out),
            Form::FieldMask => mask(message, bytes, out),
            Form::Wrapper => self.wrapper(message, bytes, depth, out),
            Form::Struct => structure(message, bytes, depth, out),
            Form::ListValue => list(message, bytes, depth, out),
            Form::Value => value(message, bytes, depth, out),
            Form::Plain => {
                out.push(b'{');
                self.members(message, bytes, depth, out)?;
                close(out, b'}');
                Ok(())
            }
        }
    }

    fn wrapper(self, message: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> Written {
        let Some((_, field)) = message.numbered(1) else {
            return Err(unwritable(message, "the wrapper has no field"));
        };
        let mut last = None;
        each(message, bytes, |number, raw| {
            if number == 1 {
                last = Some(raw);
            }
            Ok(())
        })?;
        match last {
            Some(raw) => self.value(message, field.kind, raw, depth, out),
            None => {
                scalar::write(scalar::default(field.kind, self.schema), out);
                Ok(())
            }
        }
    }

    fn any(self, message: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> Written {
        let (mut url, mut value) = ("", [].as_slice());
        each(message, bytes, |number, raw| {
            match (number, raw) {
                (1, Raw::Bytes(bytes)) => url = text(message, bytes)?,
                (2, Raw::Bytes(bytes)) => value = bytes,
                _ => {}
            }
            Ok(())
        })?;
        if url.is_empty() && value.is_empty() {
            out.extend_from_slice(b"{}");
            return Ok(());
        }
        out.extend_from_slice(b"{\"@type\":");
        scalar::write(Value::Text(url), out);
        out.push(b',');
        let id = url
            .rsplit_once('/')
            .and_then(|(_, name)| self.schema.find(name));
        let Some(id) = id else {
            if !self.opaque {
                return Err(unwritable(
                    message,
                    "it holds a type that no descriptor has",
                ));
            }
            out.extend_from_slice(b"\"value\":");
            scalar::write(Value::Bytes(value), out);
            out.push(b'}');
            return Ok(());
        };
        let inner = self.schema.message(id);
        if depth >= MAX_DEPTH {
            return Err(unwritable(message, "messages lie too deep in each other"));
        }
        if inner.form == Form::Plain {
            self.members(inner, value, depth + 1, out)?;
            close(out, b'}');
            return Ok(());
        }
        out.extend_from_slice(b"\"value\":");
        self.well_known(inner, value, depth + 1, out)?;
        out.push(b'}');
        Ok(())
    }
}

fn each<'a>(
    message: &Message,
    bytes: &'a [u8],
    mut field: impl FnMut(u32, Raw<'a>) -> Written,
) -> Written {
    let mut fields = Fields(bytes);
    while let Some((number, raw)) = fields
        .next()
        .map_err(|Garbled| unwritable(message, GARBLED))?
    {
        field(number, raw)?;
    }
    Ok(())
}

fn text<'a>(message: &Message, bytes: &'a [u8]) -> Result<&'a str, Box<super::Unwritable>> {
    std::str::from_utf8(bytes).map_err(|_| unwritable(message, GARBLED))
}

#[expect(clippy::cast_possible_wrap, reason = "the bits are what is read")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "an int32 takes the lower half"
)]
fn moment(message: &Message, bytes: &[u8], out: &mut Vec<u8>) -> Written {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    each(message, bytes, |number, raw| {
        match (number, raw) {
            (1, Raw::Varint(value)) => seconds = value as i64,
            (2, Raw::Varint(value)) => nanos = value as i32,
            _ => {}
        }
        Ok(())
    })?;
    let mut shown = String::with_capacity(32);
    let written = match message.form {
        Form::Timestamp => time::write_timestamp(seconds, nanos, &mut shown),
        _ => time::write_duration(seconds, nanos, &mut shown),
    };
    written.ok_or_else(|| unwritable(message, "the value is out of range"))?;
    let _ = scalar::quoted(&shown, out);
    Ok(())
}

fn mask(message: &Message, bytes: &[u8], out: &mut Vec<u8>) -> Written {
    const NO_NAME: &str = "a path has no spelling in JSON";
    out.push(b'"');
    let mut first = true;
    each(message, bytes, |number, raw| {
        let (1, Raw::Bytes(path)) = (number, raw) else {
            return Ok(());
        };
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        let mut path = path.iter();
        while let Some(byte) = path.next() {
            match byte {
                // What follows must be a letter that can be made large, or the way back is lost.
                b'_' => match path.next() {
                    Some(byte @ b'a'..=b'z') => out.push(byte.to_ascii_uppercase()),
                    _ => return Err(unwritable(message, NO_NAME)),
                },
                b'a'..=b'z' | b'0'..=b'9' | b'.' => out.push(*byte),
                _ => return Err(unwritable(message, NO_NAME)),
            }
        }
        Ok(())
    })?;
    out.push(b'"');
    Ok(())
}

fn structure(message: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> Written {
    // A name that is there twice counts once, with its last value.
    let mut entries: Vec<(&str, &[u8])> = Vec::new();
    let mut places = std::collections::HashMap::new();
    each(message, bytes, |number, raw| {
        let (1, Raw::Bytes(entry)) = (number, raw) else {
            return Ok(());
        };
        let (mut name, mut inner) = ("", [].as_slice());
        each(message, entry, |number, raw| {
            match (number, raw) {
                (1, Raw::Bytes(bytes)) => name = text(message, bytes)?,
                (2, Raw::Bytes(bytes)) => inner = bytes,
                _ => {}
            }
            Ok(())
        })?;
        let at = *places.entry(name).or_insert(entries.len());
        match entries.get_mut(at) {
            Some(entry) => entry.1 = inner,
            None => entries.push((name, inner)),
        }
        Ok(())
    })?;
    out.push(b'{');
    for (name, inner) in entries {
        scalar::write(Value::Text(name), out);
        out.push(b':');
        value(message, inner, depth + 1, out)?;
        out.push(b',');
    }
    close(out, b'}');
    Ok(())
}

fn list(message: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> Written {
    out.push(b'[');
    each(message, bytes, |number, raw| {
        if let (1, Raw::Bytes(inner)) = (number, raw) {
            value(message, inner, depth + 1, out)?;
            out.push(b',');
        }
        Ok(())
    })?;
    close(out, b']');
    Ok(())
}

/// `google.protobuf.Value`: the last member of its oneof that is there.
fn value(message: &Message, bytes: &[u8], depth: u32, out: &mut Vec<u8>) -> Written {
    if depth > MAX_DEPTH {
        return Err(unwritable(message, "values lie too deep in each other"));
    }
    let mut kind: Option<(u32, Raw<'_>)> = None;
    let mut merged: Option<Vec<u8>> = None;
    each(message, bytes, |number, raw| {
        if !(1..=6).contains(&number) {
            return Ok(());
        }
        // Messages of one field merge: to read them one after the other does it.
        merged = match (kind, raw, merged.take()) {
            (Some((before, Raw::Bytes(first))), Raw::Bytes(more), merged)
                if before == number && number > 4 =>
            {
                let mut whole = merged.unwrap_or_else(|| first.to_vec());
                whole.extend_from_slice(more);
                Some(whole)
            }
            _ => None,
        };
        kind = Some((number, raw));
        Ok(())
    })?;
    if let (Some(merged), Some((_, raw))) = (&merged, &mut kind) {
        *raw = Raw::Bytes(merged);
    }
    match kind {
        // One without a kind is no value; elsewhere it is written as null, and so it is here.
        Some((1, Raw::Varint(_))) | None => out.extend_from_slice(b"null"),
        Some((2, Raw::Fixed64(bits))) => {
            let number = f64::from_bits(bits);
            if !number.is_finite() {
                return Err(unwritable(message, "JSON has no such number"));
            }
            scalar::write(Value::Double(number), out);
        }
        Some((3, Raw::Bytes(bytes))) => {
            scalar::write(Value::Text(text(message, bytes)?), out);
        }
        Some((4, Raw::Varint(flag))) => scalar::write(Value::Bool(flag != 0), out),
        Some((5, Raw::Bytes(bytes))) => return structure(message, bytes, depth, out),
        Some((6, Raw::Bytes(bytes))) => return list(message, bytes, depth, out),
        Some(_) => return Err(unwritable(message, GARBLED)),
    }
    Ok(())
}
